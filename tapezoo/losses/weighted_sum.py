"""Several losses as one."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tapezoo.losses.base import Loss


class WeightedSum(Loss):
    """The weighted sum of several losses.

    Args:
        losses: The terms.
        weights: One factor per term, in the same order.
    """

    def __init__(self, losses: list[Loss], weights: list[float]) -> None:
        super().__init__()
        if len(losses) != len(weights):
            raise ValueError(f"{len(losses)} losses need {len(losses)} weights, not {len(weights)}")
        self.losses = nn.ModuleList(losses)
        self.weights = weights
        self.min_samples = max(loss.min_samples for loss in losses)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """(batch, 1, samples) twice -> scalar."""
        terms = [
            weight * loss(output, target) for weight, loss in zip(self.weights, self.losses, strict=True)
        ]
        return torch.stack(terms).sum()
