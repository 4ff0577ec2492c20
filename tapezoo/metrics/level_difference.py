"""Differences between output and target in level and in crest factor."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric


class _Levels(Metric):
    """Energies and peaks of output and target over the whole set, silent passages included."""

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    energies: Tensor
    peaks: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("energies", torch.zeros(2, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("peaks", torch.zeros(2, dtype=torch.float64), dist_reduce_fx="max")

    def update(self, output: Tensor, target: Tensor) -> None:
        """Adds one signal pair of any shape."""
        pair = torch.stack([output.double().reshape(-1), target.double().reshape(-1)])
        self.energies += pair.square().sum(dim=-1)
        self.peaks = torch.maximum(self.peaks, pair.abs().amax(dim=-1))


class LevelDifference(_Levels):
    """By how many dB the RMS of the output differs from the target's, over the whole set; never negative."""

    def compute(self) -> Tensor:
        """The difference so far, dB; NaN if one of them is silent."""
        return _apart_db(self.energies)


class CrestDifference(_Levels):
    """By how many dB the crest factor, peak over RMS, of the output differs from the target's; never negative.

    A model that rounds off transients, or a compressor model that misses them, changes this but hardly the ESR.
    """

    def compute(self) -> Tensor:
        """The difference so far, dB; NaN if one of them is silent."""
        return _apart_db(self.peaks.square() / self.energies)


def _apart_db(powers: Tensor) -> Tensor:
    heard = (powers > 0).all() & powers.isfinite().all()
    difference = 10 * (powers[0] / powers[1]).log10().abs()
    return torch.where(heard, difference, torch.nan).float()
