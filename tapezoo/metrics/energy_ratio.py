"""ESR over a whole set."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric


class ESR(Metric):
    """Total error energy over total target energy of the whole set; no pre-emphasis.

    Not a mean of ratios: one quiet row must not outweigh the rest.
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    error: Tensor
    energy: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("error", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("energy", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, output: Tensor, target: Tensor) -> None:
        """Adds one signal pair of any shape."""
        self.error += (output.double() - target.double()).square().sum()
        self.energy += target.double().square().sum()

    def compute(self) -> Tensor:
        """The ratio so far; NaN if all targets were silent, as in `tapezoo.esr`."""
        return torch.where(self.energy > 0, self.error / self.energy, torch.nan).float()
