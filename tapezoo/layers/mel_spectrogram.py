"""Levels in mel bands of short-time spectra, and levels of bins that have them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tapezoo.losses.mel_filters import mel_edges_hz, mel_filters

FLOOR = 1e-10  # power per bin of the orthonormal transform: white noise of -100 dB re full scale
MIDDLE, SPREAD = -4.6, 3.0  # nepers: -40 dB becomes 0, music lies within +-1


class LogMel(nn.Module):
    """`L[b] = ln(sum_k w[b, k] |X[k]|^2 + 1e-10) / 2`, the level in each band in nepers, and its inverse over bins.

    w are `mel_filters`, each scaled to a sum of 1, so a level is that of a bin, whatever the width of the band.

    Args:
        window_samples: N of the spectra, which are orthonormal (`ShortTimeFourier`).
        bands: M; see `mel_filters`, as for the next two.
        sample_rate: Hz.
        top_hz: Hz.

    Raises:
        MelFilterError: Bands that the bins cannot fill, or above half the sample rate.
    """

    filters: Tensor
    spreading: Tensor

    def __init__(self, window_samples: int, bands: int, sample_rate: int, top_hz: float) -> None:
        super().__init__()
        filters = mel_filters(window_samples, bands, sample_rate, top_hz)
        self.register_buffer("filters", filters / filters.sum(dim=0), persistent=False)
        middles = torch.tensor([0.0, *mel_edges_hz(bands, top_hz)[1:-1], float("inf")], dtype=torch.float64)
        bins_hz = torch.arange(window_samples // 2 + 1, dtype=torch.float64) * sample_rate / window_samples
        above = torch.searchsorted(
            middles[1:-1], bins_hz, right=True
        )  # of the middles: how many are not above a bin
        low, high = (above - 1).clamp(min=0), above.clamp(max=bands - 1)
        low_hz, high_hz = middles[1:-1][low], middles[1:-1][high]
        share = torch.where(high > low, (bins_hz - low_hz) / (high_hz - low_hz).clamp(min=1e-9), 0.0).clamp(
            0, 1
        )
        spreading = torch.zeros(bands, len(bins_hz), dtype=torch.float64)
        number = torch.arange(len(bins_hz))
        spreading[low, number] += 1 - share
        spreading[high, number] += share
        self.register_buffer("spreading", spreading.float(), persistent=False)

    def forward(self, spectra: Tensor) -> Tensor:
        """The levels in nepers, (batch, M, frames), of (batch, 2, frames, bins)."""
        power = spectra[:, 0].square() + spectra[:, 1].square()
        return 0.5 * torch.log(torch.matmul(power, self.filters) + FLOOR).transpose(1, 2)

    def over_bins(self, levels: Tensor) -> Tensor:
        """Levels of every bin, (batch, frames, bins), linear in Hz between the middles of (batch, M, frames) bands."""
        return torch.matmul(levels.transpose(1, 2), self.spreading)
