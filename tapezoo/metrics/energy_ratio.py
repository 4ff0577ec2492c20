"""ESR over a whole set, and the same in dB."""

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


MOST_DB = 200.0  # of an output that is equal to the last bit; infinity is no figure


class SNR(ESR):
    """Signal-to-noise ratio in dB: `-10 log10` of the ESR, so total target energy over total error energy of the set.

    torchmetrics' SignalNoiseRatio is the mean over rows of the ratio in dB, in which a quiet row counts as much as a
    loud one. For one row the two agree.
    """

    higher_is_better = True

    def compute(self) -> Tensor:
        """The ratio so far, dB, 200 at most; NaN if all targets were silent."""
        ratio = torch.where(self.energy > 0, self.error / self.energy, torch.nan)
        return (-10 * ratio.clamp(min=10 ** (-MOST_DB / 10)).log10()).float()
