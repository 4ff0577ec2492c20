"""The multi-resolution STFT distance."""

from __future__ import annotations

from typing import Literal

import auraloss
from torch import Tensor

from tapezoo.losses.base import Loss

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
