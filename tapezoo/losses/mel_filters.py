"""Triangular filters on the mel scale over the bins of a short-time spectrum, each of which hears something."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torchaudio.functional import melscale_fbanks

from tapezoo.errors import TapezooError

MOST_BANDS = 512


class MelFilterError(TapezooError):
    """Mel bands that the window's bins cannot fill, or above half the sample rate.

    Args:
        name: The argument at fault.
        found: Its value.
        expected: What is possible.
    """

    def __init__(self, name: str, found: str, expected: str) -> None:
        super().__init__(
            name,
            found=found,
            expected=expected,
            fix="Correct it; a longer window has more bins to fill bands with.",
        )


def check_mel_bands(window_samples: int, bands: int, sample_rate: int, top_hz: float) -> None:
    """Raises MelFilterError where `mel_filters` would, without making the filters."""
    if not 0 < top_hz <= sample_rate / 2:
        raise MelFilterError(
            "top_hz",
            found=f"{top_hz:g} Hz at a sample rate of {sample_rate} Hz",
            expected=f"above 0, at most {sample_rate / 2:g} Hz, half of that rate",
        )
    if not 1 <= bands <= MOST_BANDS:
        raise MelFilterError("bands", found=repr(bands), expected=f"a whole number from 1 to {MOST_BANDS}")
    apart_hz = sample_rate / window_samples
    empty = _empty(apart_hz, bands, top_hz)
    if empty:
        most = next(n for n in range(1, bands + 1) if _empty(apart_hz, n, top_hz)) - 1
        raise MelFilterError(
            "bands",
            found=f"{bands}, of which {empty} lie between two bins of a window of {window_samples} samples "
            f"({apart_hz:.1f} Hz apart) and hear nothing",
            expected=f"at most {most} for this window, {sample_rate} Hz and top_hz {top_hz:g}",
        )


def mel_filters(window_samples: int, bands: int, sample_rate: int, top_hz: float) -> Tensor:
    """Triangles from 0 Hz to `top_hz`, of height 1 and evenly spaced at `2595 log10(1 + f / 700 Hz)`.

    The scale is O'Shaughnessy's ("Speech communication", 1987), as HTK has it. A triangle reaches from the middle of
    the band below to the middle of the band above.

    Args:
        window_samples: N of the spectrum, 2 or more.
        bands: Number of filters, 1 to 512.
        sample_rate: Of the signal, Hz.
        top_hz: Upper end of the highest band, Hz, above 0, at most half the sample rate.

    Raises:
        MelFilterError: An argument is out of its range, or a filter lies between two bins and hears nothing.

    Shape:
        filters: (window_samples // 2 + 1, bands).
    """
    check_mel_bands(window_samples, bands, sample_rate, top_hz)
    made: Tensor = melscale_fbanks(window_samples // 2 + 1, 0.0, top_hz, bands, sample_rate)
    return made.to(torch.float32)


def mel_edges_hz(bands: int, top_hz: float) -> list[float]:
    """Lower end, middle or upper end of every band: band b has the edges b, b + 1 and b + 2."""
    highest = math.log1p(top_hz / 700)
    return [700 * math.expm1(highest * place / (bands + 1)) for place in range(bands + 2)]


def _empty(apart_hz: float, bands: int, top_hz: float) -> int:
    """How many bands have no bin within them."""
    edges = mel_edges_hz(bands, top_hz)
    first = [math.floor(low / apart_hz) + 1 for low in edges[:-2]]  # the first bin above the lower end
    return sum(bin * apart_hz >= high for bin, high in zip(first, edges[2:], strict=True))
