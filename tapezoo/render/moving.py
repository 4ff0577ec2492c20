"""Paths of controls as the torch player asks for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor

from tapezoo.net import Net
from tapezoo.render.automation import ControlPath, stretches


@dataclass(frozen=True)
class MovingControls:
    """A `tapezoo.play.ControlPath`: a net is told once per step where the controls are; see `stretches`.

    Args:
        paths: One per row of the batch, or one for all.
        step_samples: Between two changes of the controls, whole hops.
        sample_rate: Of the net, Hz.
        offset_s: The paths' time at the net's first output sample, s.
        device: Of the net.
    """

    paths: Sequence[ControlPath]
    step_samples: int
    sample_rate: int
    offset_s: float
    device: torch.device

    def __call__(self, start: int, samples: int) -> Iterator[tuple[slice, Tensor]]:
        """See `tapezoo.play.ControlPath`."""
        pieces = stretches(self.paths, start, samples, self.step_samples, self.sample_rate, self.offset_s)
        for piece, positions in pieces:
            yield piece, torch.from_numpy(positions).to(self.device)

    def first(self) -> Tensor:
        """Where they begin, (paths, num_controls): what the net settles at."""
        return next(iter(self(0, 1)))[1]


def device_of(net: Net) -> torch.device:
    """Where the net's tensors are; the CPU for a net without any."""
    return next(chain(net.parameters(), net.buffers()), torch.zeros(0)).device
