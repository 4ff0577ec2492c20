"""The contract of an export target, and the graph signature that all targets share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn

from tapezoo.blocks import whole_hops
from tapezoo.bundle import Manifest, Step
from tapezoo.bundle.play import Audio
from tapezoo.bundle.targets import TargetSpec
from tapezoo.controls import Control
from tapezoo.net import Net

# neither a length nor a row count of any golden case, so that parity is shown at others than the traced ones
TRACED_ROWS = 3
TRACED_SAMPLES = 97


class Target(ABC):
    """Writes one file format that a net is exported to.

    A new one (a .nam, RTNeural's JSON, C++ source) is one file in this folder with a class like this, and a row in
    `tapezoo.bundle.targets`. Implement:

    - `write`. A `Graph` holds the net beside tensors to trace it with: formats that list layers and weights read
      `graph.net.net`, formats that record operations trace `graph.net`. Raise `ExportError` for what shows only
      while writing.
    - `refusal`, decided by the structure of the net and never by its name: the user learns within a second why the
      target is impossible, and which one is not.
    - The row's `opener`, a function of arrays around the format's own runtime. It must play from any state, in blocks
      of any length, rows independent. Export replays the golden files through it, read back from the written file:
      an exact target within 1e-5 of the peak (`parity`), a lossy one within the allowed ESR (`degradation`). A format
      whose runtime is not installed cannot be exported to, since it could not be verified.
    - The row's `engine`, if `Stream` is to play the format; then its cost is measured as well.
    """

    spec: ClassVar[TargetSpec]
    """Its row."""

    @property
    def name(self) -> str:
        """See `TargetSpec`, as for the next two."""
        return self.spec.name

    @property
    def file(self) -> str:
        """Its bundle path."""
        return self.spec.file

    @property
    def lossy(self) -> bool:
        """Whether it is judged by its ESR instead of the parity gate."""
        return self.spec.lossy

    def refusal(self, net: Net) -> tuple[str, str] | None:
        """Why this target cannot represent `net`, and what can; None if it can, or if only tracing will show."""
        return None

    @abstractmethod
    def write(self, graph: Graph, path: Path) -> None:
        """Writes `graph` to `path`; may raise anything, which refuses the target."""

    def open(self, path: Path, state_names: Sequence[str]) -> Step:
        """Opens a file that `write` or another program wrote."""
        return self.spec.open(path, state_names)

    def other_builds(self, path: Path, state_names: Sequence[str]) -> Mapping[str, Step]:
        """Other builds of the file, each with a short description; the gate replays these too."""
        return {}

    def accompany(self, folder: Path, manifest: Manifest) -> None:  # noqa: B027 - most have nothing
        """Writes further files beside it, once the bundle's golden files exist; most targets write none.

        Args:
            folder: Of the bundle.
            manifest: After the gate.
        """


class Part(Protocol):
    """Further contents of a bundle, written after its targets and before it is sealed."""

    def check(self, net: Net) -> None:
        """Raises the errors of `write` that can be known in advance, quickly and before anything is written."""

    def write(
        self,
        folder: Path,
        net: Net,
        manifest: Manifest,
        programme: Audio,
        progress: Callable[[str], None],
    ) -> Manifest:
        """Writes files below `folder`; returns the manifest with its entries for them.

        Args:
            folder: Of the bundle.
            net: Frozen and settled at its defaults; must not be changed.
            manifest: The manifest after the gate.
            programme: (2, samples), see `golden_input`.
            progress: Called with each step's name.
        """


class FlatNet(nn.Module):
    """A net with its state as separate tensors: `(input, controls, *state) -> (output, *next_state)`."""

    def __init__(self, net: Net, state_names: Sequence[str]) -> None:
        super().__init__()
        self.net = net
        self.state_names = list(state_names)

    def forward(self, input: Tensor, controls: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """See `Net.forward`."""
        output, after = self.net(input, controls, dict(zip(self.state_names, state, strict=True)))
        return (output, *(after[name] for name in self.state_names))


@dataclass(frozen=True)
class Graph:
    """What a target receives: the net, tensors to trace it with, the names of its inputs and outputs.

    `metadata`, `controls` and `settle_samples` are its entries in the manifest.
    """

    net: FlatNet
    example: tuple[Tensor, ...]
    inputs: list[str]
    outputs: list[str]
    metadata: dict[str, str]
    controls: tuple[Control, ...] = ()
    settle_samples: int = 0


def graph_of(
    net: Net, metadata: dict[str, str], controls: Sequence[Control] = (), settle_samples: int = 0
) -> Graph:
    """The graph of a net in evaluation mode on the CPU."""
    positions = torch.full((TRACED_ROWS, net.num_controls), 0.5)
    state = net.initial_state(positions)
    samples = whole_hops(TRACED_SAMPLES, net.hop_samples)
    noise = torch.randn(TRACED_ROWS, 1, samples, generator=torch.Generator().manual_seed(0)) * 0.1
    return Graph(
        FlatNet(net, list(state)).eval(),  # torch.onnx.export leaves the net in the mode of what is around it
        (noise, positions, *state.values()),
        ["input", "controls", *(f"state_{name}" for name in state)],
        ["output", *(f"next_{name}" for name in state)],
        metadata,
        tuple(controls),
        settle_samples,
    )
