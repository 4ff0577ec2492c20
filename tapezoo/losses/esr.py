"""Energy of the error over energy of the target, and the same for their offsets."""

from __future__ import annotations

import torchaudio.functional
from torch import Tensor

from tapezoo.losses.base import ENERGY_FLOOR, Loss


class ESR(Loss):
    """Error-to-signal ratio of the whole batch: total error energy over total target energy.

    Wright et al., "Real-time black-box modelling with recurrent neural networks", DAFx 2019, who
    pre-emphasise both signals with `H(z) = 1 - pre_emphasis z^-1`.

    Args:
        pre_emphasis: Coefficient of the first-order high-pass before the comparison, 0 (none) to 1.
    """

    compares_waveforms = True

    def __init__(self, pre_emphasis: float = 0.0) -> None:
        super().__init__()
        self.pre_emphasis = pre_emphasis
        self.min_samples = 2

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """(batch, 1, samples) twice -> scalar."""
        if self.pre_emphasis:
            # the first sample has no predecessor in this block
            output = torchaudio.functional.preemphasis(output, self.pre_emphasis)[..., 1:]
            target = torchaudio.functional.preemphasis(target, self.pre_emphasis)[..., 1:]
        return (output - target).square().mean() / (target.square().mean() + ENERGY_FLOOR)


class DC(Loss):
    """Squared difference of the means over the target's energy (Wright et al., DAFx 2019)."""

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """(batch, 1, samples) twice -> scalar."""
        difference = output.mean(dim=-1) - target.mean(dim=-1)  # (batch, 1)
        return difference.square().mean() / (target.square().mean() + ENERGY_FLOOR)
