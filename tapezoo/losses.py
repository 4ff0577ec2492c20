"""What training minimises. Every loss is called as `loss(output, target)` on (batch, 1, samples)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

import auraloss
import torch
import torchaudio.functional
from torch import Tensor, nn

# a chunk of silence has no energy to divide by: -90 dB per sample, below 16-bit noise
ENERGY_FLOOR = 1e-9


class Loss(nn.Module, ABC):
    """A scalar distance between output and target.

    `min_samples` is the shortest block it can judge; truncated backpropagation must not be shorter.
    """

    min_samples: int = 1

    @abstractmethod
    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """(batch, 1, samples) twice -> scalar."""


class ESR(Loss):
    """Error-to-signal ratio of the whole batch: total error energy over total target energy.

    Wright et al., "Real-time black-box modelling with recurrent neural networks", DAFx 2019, who
    pre-emphasise both signals with `H(z) = 1 - pre_emphasis z^-1`.

    Args:
        pre_emphasis: Coefficient of the first-order high-pass before the comparison, 0 (none) to 1.
    """

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


class L1(Loss):
    """Mean absolute error."""

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """(batch, 1, samples) twice -> scalar."""
        return nn.functional.l1_loss(output, target)


class MSE(Loss):
    """Mean squared error."""

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """(batch, 1, samples) twice -> scalar."""
        return nn.functional.mse_loss(output, target)


STFT_RESOLUTIONS: dict[str, tuple[list[int], list[int], list[int]]] = {
    # FFT, hop and window lengths in samples
    "yamamoto": ([1024, 2048, 512], [120, 240, 50], [600, 1200, 240]),  # Parallel WaveGAN, ICASSP 2020
    "hybrid": ([256, 512, 1024], [64, 128, 256], [256, 512, 1024]),  # Simionato & Fasciani 2024
}


class MRSTFT(Loss):
    """Multi-resolution STFT distance: spectral convergence plus log magnitude (Yamamoto et al. 2020).

    Args:
        resolutions: "yamamoto" (512 to 2048, the usual one) or "hybrid" (256/512/1024 with hops of a
            quarter, Simionato & Fasciani 2024).
    """

    def __init__(self, resolutions: Literal["yamamoto", "hybrid"] = "yamamoto") -> None:
        super().__init__()
        fft_sizes, hop_sizes, win_lengths = STFT_RESOLUTIONS[resolutions]
        self.distance = auraloss.freq.MultiResolutionSTFTLoss(fft_sizes, hop_sizes, win_lengths)
        self.min_samples = max(fft_sizes)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """(batch, 1, samples) twice -> scalar."""
        distance: Tensor = self.distance(output, target)
        return distance


class WeightedSum(Loss):
    """Several losses, each times its weight.

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
