"""Trained numbers that follow the controls."""

from __future__ import annotations

import torch
from torch import Tensor, nn

HYPER_UNITS = 16


class HyperParameters(nn.Module):
    """A vector of trained numbers, moved by the controls: `p(controls) = p0 + W2 tanh(W1 controls + b1)`.

    Nercessian, Sarroff, Werner, "Lightweight and interpretable neural modeling of an audio distortion effect
    using hyperconditioned differentiable biquads", ICASSP 2021: a small net from the controls to the filters'
    parameters, in a space without bounds. Without controls it is p0 alone.

    Args:
        num_controls: Number of knobs, K.
        start: Initial p0, (count,); `count` parameters, with controls `16 (K + 1) + 16 count` more.

    Shape:
        controls: (batch, K); result: (rows, count), rows = 1 without controls, else the batch.
    """

    def __init__(self, num_controls: int, start: Tensor) -> None:
        super().__init__()
        self.start = nn.Parameter(start.clone())
        self.hyper: nn.Sequential | None = None
        if num_controls:
            last = nn.Linear(HYPER_UNITS, len(start), bias=False)
            with torch.no_grad():
                last.weight.mul_(0.1)  # at first the numbers hardly follow the controls
            self.hyper = nn.Sequential(nn.Linear(num_controls, HYPER_UNITS), nn.Tanh(), last)

    def forward(self, controls: Tensor) -> Tensor:
        """The numbers at these controls."""
        if self.hyper is None:
            return self.start.unsqueeze(0)
        moved: Tensor = self.start + self.hyper(controls)
        return moved

    def along(self, trajectory: Tensor) -> Tensor:
        """The numbers while the controls move: (batch, K, samples) -> (rows, count, samples), or 1 sample."""
        if self.hyper is None:
            return self.start[None, :, None]
        moved: Tensor = self(trajectory.transpose(1, 2)).transpose(1, 2)
        return moved

    def tensors(self) -> list[Tensor]:
        """p0, W1, b1 and W2; only with controls."""
        assert self.hyper is not None
        first, last = self.hyper[0], self.hyper[-1]
        weights = first.get_parameter("weight"), first.get_parameter("bias"), last.get_parameter("weight")
        return [self.start, *weights]

    @torch.no_grad()
    def held(self, controls: Tensor) -> HyperParameters:
        """The numbers at one setting (K,), as those of a block without controls."""
        return HyperParameters(0, self(controls.unsqueeze(0))[0])
