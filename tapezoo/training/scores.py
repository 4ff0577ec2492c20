"""The figures of one split: metrics of its rows, metrics on test signals, and the error with the delay kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from tapezoo.losses.mrstft import MRSTFT
from tapezoo.metrics import metric_collection, probe_collection
from tapezoo.metrics.probing import Play, refused_without_machine
from tapezoo.metrics.sampled import MetricError
from tapezoo.training.probing import PlayableMachine, RememberedMachine
from tapezoo.training.scoring import error_and_energy, in_pieces, unmeasured_metrics

Row = tuple[Tensor, Tensor]  # output and target, (1, samples)


class RowScore(NamedTuple):
    """What tables by clip and by setting need of a row."""

    energies: Tensor  # (2,), of the error and of the target
    mrstft: float  # NaN for rows that are too short
    samples: int


class Scores(nn.Module):
    """Collects over the rows of a split; `compute` gives the figures and begins anew.

    Args:
        split: Which; its name begins the figures' names.
        sample_rate: Hz.
        asked_for: Names of registered metrics, beside those that are always there.

    Raises:
        RegistrationError: A name that is not registered.
        MetricError: A rate that one of them is not made for.
    """

    def __init__(self, split: Literal["val", "test"], sample_rate: int, asked_for: Sequence[str]) -> None:
        super().__init__()
        self.split = split
        self.metrics = metric_collection(f"{split}_", sample_rate, asked_for)
        self.probes = probe_collection(f"{split}_", sample_rate, asked_for)
        self.distance = MRSTFT("hybrid")
        self._kept = torch.zeros(2, dtype=torch.float64)
        self._machine: RememberedMachine | None = None
        self._is_probed = False

    def names(self) -> list[str]:
        """Of all metrics, without the split's."""
        return sorted(
            str(name) for group in (self.metrics, self.probes) for name in group.keys(keep_base=True)
        )

    def leave_out(self, names: Iterable[str]) -> None:
        """Measures these metrics no longer."""
        for name in names:
            if name in self.metrics.keys(keep_base=True):
                del self.metrics[name]

    def add(self, output: Tensor, target: Tensor) -> None:
        """Adds a row, or a piece of one: (1, samples) each."""
        self.metrics.update(output, target)

    def add_whole(self, output: Tensor, target: Tensor) -> RowScore:
        """Adds a row of any length, in pieces, and scores it by itself.

        The spectral distance is that over windows of 256, 512 and 1024 samples, of pieces the mean weighted by length.
        """
        energies, distance, judged = torch.zeros(2, dtype=torch.float64, device=output.device), 0.0, 0
        for piece in in_pieces(output, target):
            self.add(*piece)
            energies += error_and_energy(*piece)
            length = piece[1].shape[-1]
            if length >= self.distance.min_samples:
                distance += length * self.distance(piece[0][None], piece[1][None]).item()
                judged += length
        return RowScore(energies, distance / judged if judged else torch.nan, target.shape[-1])

    def add_with_delay_kept(self, rows: Sequence[Row]) -> Tensor:
        """(rows, 2): energies of error and target of rows in which only a constant delay is removed."""
        none = torch.zeros(2, dtype=torch.float64, device=rows[0][0].device)
        energies = torch.stack(
            [sum((error_and_energy(*piece) for piece in in_pieces(*row)), none) for row in rows]
        )
        self._kept = self._kept + energies.sum(dim=0).cpu()
        return energies

    def probe(self, model: Play, data: Any, latency_samples: int) -> None:
        """Plays the test signals, if there are metrics that have any and the data have a machine to play."""
        if not len(self.probes) or not isinstance(data, PlayableMachine):
            return
        if self._machine is None or self._machine.machine is not data:
            self._machine = RememberedMachine(data)
        self.probes.update(model, self._machine, latency_samples)
        self._is_probed = True

    def compute(self) -> dict[str, Tensor | float]:
        """All figures by name, `esr_delay_kept` among them if any row was added so."""
        # torchmetrics warns of what it is asked for without an update
        unprobed = {str(name): torch.nan for name in self.probes.keys()}  # noqa: SIM118 - its keys alone have the prefix
        probed: dict[str, Tensor | float] = dict(self.probes.compute()) if self._is_probed else dict(unprobed)
        figures: dict[str, Tensor | float] = {**self.metrics.compute(), **probed}
        error, energy = self._kept.tolist()
        if energy > 0:
            figures[f"{self.split}_esr_delay_kept"] = error / energy
        self.metrics.reset()
        self.probes.reset()
        self._is_probed = False
        self._kept = torch.zeros(2, dtype=torch.float64)
        return figures

    def unmeasured(self, data: Any, cut_samples: int) -> list[MetricError]:
        """What is to be said of metrics that will have no figure: rows too short, or no machine to play.

        Args:
            data: The DataModule.
            cut_samples: Of each row, which are not scored.
        """
        refused = unmeasured_metrics(self.metrics.values(), data, self.split, cut_samples)
        if not isinstance(data, PlayableMachine):
            refused += refused_without_machine(self.probes.values())
        return refused
