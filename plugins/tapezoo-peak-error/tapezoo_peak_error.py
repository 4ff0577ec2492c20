"""The largest error of a split, a metric for tapezoo."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric


class PeakError(Metric):
    """The largest absolute error of all samples, dB re full scale: a click that no mean shows."""

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    largest: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("largest", torch.tensor(-1.0), dist_reduce_fx="max")

    def update(self, output: Tensor, target: Tensor) -> None:
        """Adds one row (1, samples), or a piece of a long one."""
        if target.numel():
            self.largest = torch.maximum(self.largest, (output - target).abs().max())

    def compute(self) -> Tensor:
        """The figure so far, dB; NaN without a sample."""
        return torch.where(self.largest >= 0, 20 * self.largest.clamp(min=1e-10).log10(), torch.nan)
