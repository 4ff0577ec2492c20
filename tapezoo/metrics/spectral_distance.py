"""The multi-resolution STFT distance over a whole set."""

from __future__ import annotations

from torch import Tensor
from torchmetrics import MeanMetric

from tapezoo.losses.mrstft import MRSTFT


class SpectralDistance(MeanMetric):
    """Multi-resolution STFT distance, averaged over rows by their length."""

    def __init__(self) -> None:
        super().__init__()
        self.distance = MRSTFT()

    def update(self, output: Tensor, target: Tensor) -> None:  # type: ignore[override]
        """Adds one row (1, samples); rows shorter than the longest window are left out."""
        if output.shape[-1] >= self.distance.min_samples:
            super().update(self.distance(output[None], target[None]), weight=output.shape[-1])
