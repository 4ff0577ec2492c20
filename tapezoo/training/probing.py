"""What metrics that play test signals need: the model and its machine as functions of rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tapezoo.metrics.probing import Play


@runtime_checkable
class PlayableMachine(Protocol):
    """A DataModule that can play anything through the machine it learns from."""

    def respond(self, dry: NDArray[np.float32]) -> NDArray[np.float32]:
        """(samples,) -> (samples,), at the controls' defaults."""


class RememberedMachine:
    """Plays each signal once: a machine, unlike a net in training, does not change from one validation to the next.

    Args:
        machine: To play.
    """

    def __init__(self, machine: PlayableMachine) -> None:
        self.machine = machine
        self._played: dict[bytes, NDArray[np.float32]] = {}

    def __call__(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `Play`."""
        return np.stack([self._play(row.astype(np.float32)) for row in rows]).astype(np.float64)

    def _play(self, row: NDArray[np.float32]) -> NDArray[np.float32]:
        key = row.tobytes()
        if key not in self._played:
            self._played[key] = self.machine.respond(row)
        return self._played[key]


def play_model(run: Callable[[Tensor, Tensor], Tensor], controls: Tensor, latency_samples: int) -> Play:
    """A model at one setting.

    Args:
        run: (rows, 1, samples) and (rows, controls) to (rows, 1, samples), from rest.
        controls: (1, controls), positions 0..1.
        latency_samples: Of the output; it is taken out.
    """

    def played(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        padded = np.pad(rows, ((0, 0), (0, latency_samples)))
        signal = torch.from_numpy(padded.astype(np.float32)).to(controls.device)[:, None]
        with torch.no_grad():
            output = run(signal, controls.expand(len(rows), -1))[:, 0, latency_samples:]
        made: NDArray[np.float64] = output.double().cpu().numpy()
        return made

    return played
