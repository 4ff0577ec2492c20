"""What a validation or test reports; computed over the whole set, never over shuffled pieces."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import MeanAbsoluteError, MeanMetric, Metric, MetricCollection
from torchmetrics.audio import ScaleInvariantSignalDistortionRatio

from tapezoo.losses import MRSTFT


class ESR(Metric):
    """Total error energy over total target energy of everything seen; no pre-emphasis.

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
        """The ratio so far."""
        return (self.error / self.energy).float()


class SpectralDistance(MeanMetric):
    """Multi-resolution STFT distance, averaged over rows by their length."""

    def __init__(self) -> None:
        super().__init__()
        self.distance = MRSTFT()

    def update(self, output: Tensor, target: Tensor) -> None:  # type: ignore[override]
        """Adds one row (1, samples); rows shorter than the longest window say nothing and are left out."""
        if output.shape[-1] >= self.distance.min_samples:
            super().update(self.distance(output[None], target[None]), weight=output.shape[-1])


def metric_collection(prefix: str) -> MetricCollection:
    """The metrics of one split: `{prefix}esr`, `mae`, `si_sdr` (dB, mean over rows) and `mrstft`."""
    return MetricCollection(
        {
            "esr": ESR(),
            "mae": MeanAbsoluteError(),
            "si_sdr": ScaleInvariantSignalDistortionRatio(),
            "mrstft": SpectralDistance(),
        },
        prefix=prefix,
        # compute groups compare states by value and would merge metrics that start out equal
        compute_groups=False,
    )
