"""The error-to-signal ratio band by band."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from tapezoo.losses.base import ENERGY_FLOOR, Loss


class BandESR(Loss):
    """Mean of the error-to-signal ratios of octave bands, each over its own energy.

    Music has most of its energy in the lowest octaves, so `ESR` hardly reacts to errors in the upper octaves. Here a
    decibel of error counts equally in every band. A first-order pre-emphasis, `ESR(pre_emphasis)`, has a similar,
    weaker effect.

    Bands are counted from the top: with 4 of them and at 44.1 kHz they end at 2.8, 5.5, 11 and 22 kHz. Energies are
    those of the block's spectrum under a Hann window. If a band has less energy than `floor_db` relative to
    the block, its error is divided by that energy instead, since such a band has only noise.

    Args:
        bands: Number of bands, 2 or more; the lowest one includes all frequencies below it.
        floor_db: Level relative to the block, in dB, below 0.
        weight: Weight of the mean over bands, above 0, up to 1; the plain ratio has the remaining weight.

    Raises:
        ValueError: An argument is out of its range.
    """

    compares_waveforms = True

    def __init__(self, bands: int = 4, floor_db: float = -40.0, weight: float = 0.5) -> None:
        super().__init__()
        if bands < 2 or not floor_db < 0 or not 0 < weight <= 1:
            raise ValueError(
                f"bands {bands}, floor_db {floor_db:g}, weight {weight:g}; 2 or more, below 0, above 0 up to 1"
            )
        self.bands, self.floor_db, self.weight = bands, floor_db, weight
        self.min_samples = 8 << bands  # so that the second-lowest band is several bins wide

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """(batch, 1, samples) twice -> scalar."""
        error = output - target
        plain = error.square().mean() / (target.square().mean() + ENERGY_FLOOR)
        wrong, wanted = self._energies(error), self._energies(target)
        least = 10 ** (self.floor_db / 10) * wanted.sum() + ENERGY_FLOOR
        by_band = wrong / torch.maximum(wanted, least)
        return (1 - self.weight) * plain + self.weight * by_band.mean()

    def _energies(self, signal: Tensor) -> Tensor:
        """(bands,): mean square per sample within each band, of all rows together."""
        samples = signal.shape[-1]
        window = torch.hann_window(samples, dtype=signal.dtype, device=signal.device)
        power = torch.fft.rfft(signal * window).abs().square()
        power[..., 1:] *= 2  # the energy at negative frequencies of a real signal
        power = power.mean(dim=(0, 1)) / (samples * window.square().sum())
        half = samples // 2
        edges = [0, *(half >> octave for octave in range(self.bands - 1, 0, -1)), half + 1]
        return torch.stack([power[low:high].sum() for low, high in pairwise(edges)])
