"""Means of the error over all samples."""

from __future__ import annotations

from torch import Tensor, nn

from tapezoo.losses.base import Loss


class L1(Loss):
    """Mean absolute error."""

    compares_waveforms = True

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """(batch, 1, samples) twice -> scalar."""
        return nn.functional.l1_loss(output, target)


class MSE(Loss):
    """Mean squared error."""

    compares_waveforms = True

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """(batch, 1, samples) twice -> scalar."""
        return nn.functional.mse_loss(output, target)
