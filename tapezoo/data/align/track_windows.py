"""A first, rough trajectory: the whitened correlation of short windows, and the likeliest path through their lags.

Generalised cross-correlation (Knapp and Carter, IEEE Trans. ASSP 24(4), 1976) of windows of 0.1 s, and Viterbi's
search for the path of greatest height whose speed stays that of a transport. At half the usual sample rates:
`track_waveform` corrects the remaining error from the waveform itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal
from scipy.fft import irfft, next_fast_len, rfft

Real = NDArray[np.float64]

WINDOW_S = 0.1
HOP_S = 0.025
MAX_SPEED = 0.03  # relative deviation of a simulated, badly worn machine; real ones stay below 0.01
CLEAR = 1.0  # heights above it are rare in noise
HEIGHT_OF_NOISE = 8.0  # times the median over all lags
SOUNDING = 1e-8  # of the loudest window's energy
MAX_HEIGHT = 3.0  # keeps a single window from outvoting its neighbours


@dataclass(frozen=True)
class Path:
    """Lags over time.

    Args:
        centres: Middles of the windows, in samples.
        lags: Whole samples.
        heights: Height of the correlation there; CLEAR or more is not chance.
        sounding: Whether dry is within 80 dB of its loudest window there.
    """

    centres: Real
    lags: Real
    heights: Real
    sounding: NDArray[np.bool_]

    @property
    def clear_share(self) -> float:
        """Share of the sounding windows whose lag is not chance."""
        return float(np.mean(self.heights[self.sounding] >= CLEAR)) if self.sounding.any() else 0.0


def likeliest_path(dry: Real, wet: Real, rate_hz: float, lag: int, reach: int, usual_speed: float) -> Path:
    """The delay of `wet` over time, between `lag - reach` and `lag + reach`, in whole samples.

    Args:
        dry: At a sample rate as low as its content above 1 kHz allows.
        wet: Likewise.
        rate_hz: Of both.
        lag: Where to look.
        reach: How far on either side.
        usual_speed: Deviation of the speed that costs a path almost nothing.

    Shape:
        dry, wet: (channels, samples), with a shared clock.
    """
    window, hop = round(WINDOW_S * rate_hz), round(HOP_S * rate_hz)
    starts = np.arange(0, max(1, wet.shape[1] - window + 1), hop)
    heights = sum(
        _heights(own_dry, own_wet, starts, window, lag, reach)
        for own_dry, own_wet in zip(dry, wet, strict=True)
    )
    heights = np.minimum(np.asarray(heights), MAX_HEIGHT)
    path = _search(heights, hop, usual_speed)
    padded = np.pad(dry, ((0, 0), (max(0, lag), max(0, wet.shape[1] - lag - dry.shape[1]))))
    energy = np.array([np.square(padded[:, at : at + window]).sum() for at in starts - lag + max(0, lag)])
    sounding = energy > SOUNDING * energy.max()
    lags = (lag - reach + path).astype(float)
    return Path(starts + window / 2, lags, heights[np.arange(len(path)), path], sounding)


def _heights(dry: Real, wet: Real, starts: NDArray[np.int64], window: int, lag: int, reach: int) -> Real:
    fft_samples = next_fast_len(2 * window + 2 * reach, real=True)
    weight = _weight(dry, wet, fft_samples)
    taper = np.hanning(window)
    # dry before its beginning and after its end is silence
    before = max(0, lag + reach)
    after = max(0, int(starts[-1]) + window - lag + reach - len(dry))
    padded = np.pad(dry, (before, after))
    found = np.zeros((len(starts), 2 * reach + 1))
    for row, start in enumerate(starts):
        own = wet[start : start + window]
        own = (own - own.mean()) * taper[: len(own)]
        first = start - lag - reach + before
        around = padded[first : first + window + 2 * reach]
        cross = np.conj(rfft(own, fft_samples)) * rfft(around, fft_samples) * weight
        correlation = np.abs(irfft(cross, fft_samples)[: 2 * reach + 1][::-1])
        found[row] = correlation / (HEIGHT_OF_NOISE * np.median(correlation) + 1e-20)
    return found


def _weight(dry: Real, wet: Real, fft_samples: int) -> Real:
    segment = min(512, len(dry), len(wet))
    at = np.linspace(0, 1, fft_samples // 2 + 1)
    power = []
    for samples, floor in ((dry, 1e-7), (wet, 1e-6)):
        own = signal.welch(samples, nperseg=segment)[1]
        power.append(np.interp(at, np.linspace(0, 1, len(own)), own) + floor * own.max() + 1e-30)
    return np.asarray(1 / np.sqrt(power[0] * power[1]))


def _search(heights: Real, hop: int, usual_speed: float) -> NDArray[np.int64]:
    farthest = int(np.ceil(MAX_SPEED * hop)) + 1
    moves = np.arange(-farthest, farthest + 1)
    costs = 0.5 * (np.maximum(np.abs(moves) - 0.5, 0) / (usual_speed * hop)) ** 2
    lags = heights.shape[1]
    best = heights[0].copy()
    came = np.zeros(heights.shape, dtype=np.int16)
    for row in range(1, len(heights)):
        padded = np.pad(best, farthest, constant_values=-np.inf)
        options = np.stack([padded[farthest + move : farthest + move + lags] for move in moves])
        options -= costs[:, None]
        choice = np.argmax(options, axis=0)
        came[row] = moves[choice]
        best = heights[row] + options[choice, np.arange(lags)]
    path = np.zeros(len(heights), dtype=np.int64)
    path[-1] = int(np.argmax(best))
    for row in range(len(heights) - 1, 0, -1):
        path[row - 1] = path[row] + came[row, path[row]]
    return path
