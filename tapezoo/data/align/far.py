"""Coarse lags over whole recordings, at any distance, from the onsets in each frequency band.

Onsets survive distortion, filters and compressors, need a few hundred values per second, and do not repeat with the
period of a tone. What they propose is searched finely afterwards.
"""

from __future__ import annotations

import itertools

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from tapezoo.data.align.correlation import Real, Signal
from tapezoo.data.streams import release

FRAME_S = 0.004
EDGES_HZ = (60.0, 200.0, 500.0, 1200.0, 3000.0, 7000.0, 18_000.0)
BLOCK_FRAMES = 4096
CANDIDATES = 4
APART_S = 0.05
STRETCH_S = 300.0  # longest part of a recording that is compared at other speeds
# rates that recorders offer; wet played at the wrong one is longer or shorter by their ratio
STANDARD_RATES_HZ = (32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000)


def onsets(signal: Signal, sample_rate: int) -> Real:
    """How much louder each band grows from frame to frame, in nepers, normalized.

    Shape:
        returns: (bands, frames), one frame per 4 ms.
    """
    hop = max(1, round(FRAME_S * sample_rate))
    size = next_fast_len(2 * hop, real=True)
    taper = np.hanning(2 * hop)
    edges = np.minimum(np.asarray(EDGES_HZ) / sample_rate * size, size // 2).round().astype(int)
    bands = [(low, max(high, low + 1)) for low, high in itertools.pairwise(edges.tolist())]
    parts = []
    for start in range(0, max(1, len(signal) - 2 * hop), BLOCK_FRAMES * hop):
        block = np.asarray(signal[start : start + (BLOCK_FRAMES + 1) * hop], dtype=np.float64)
        if len(block) < 2 * hop:
            break
        frames = np.lib.stride_tricks.sliding_window_view(block, 2 * hop)[::hop] * taper
        power = np.abs(rfft(frames, size, axis=1)) ** 2
        parts.append(np.stack([power[:, low:high].sum(axis=1) for low, high in bands]))
        release(signal)
    if not parts:
        return np.zeros((len(bands), 1))
    energy = np.concatenate(parts, axis=1)
    floor = 1e-5 * energy.max(axis=1, keepdims=True) + 1e-20
    rise = np.diff(np.log(energy + floor), axis=1, prepend=np.log(energy[:, :1] + floor))
    rise = np.clip(rise, -0.5, 3.0)
    rise -= rise.mean(axis=1, keepdims=True)
    return np.asarray(rise / (rise.std(axis=1, keepdims=True) + 1e-9))


def far_lags(dry: Real, wet: Real) -> tuple[list[int], float]:
    """The lags, in frames, at which the onsets agree best, and how far the best stands out, in standard deviations.

    Args:
        dry: `onsets` of dry.
        wet: `onsets` of wet.
    """
    size = next_fast_len(dry.shape[1] + wet.shape[1], real=True)
    total = sum(rfft(y, size) * np.conj(rfft(x, size)) for x, y in zip(dry, wet, strict=True))
    values = irfft(total, size)
    lags = np.arange(size)
    lags = np.where(lags < wet.shape[1], lags, lags - size)
    overlap = np.minimum(wet.shape[1], dry.shape[1] + lags) - np.maximum(0, lags)
    enough = overlap > 0.1 * min(dry.shape[1], wet.shape[1])
    scores = np.where(enough, values / np.sqrt(np.maximum(overlap, 1)), 0.0)
    spread = float(scores[enough].std()) + 1e-12
    found: list[int] = []
    best = float(scores.max()) / spread
    apart = round(APART_S / FRAME_S)
    for _ in range(CANDIDATES):
        peak = int(np.argmax(scores))
        found.append(int(lags[peak]))
        scores[np.abs(lags - lags[peak]) <= apart] = 0
    return found, best


def speed_of(dry: Real, wet: Real) -> tuple[float, int]:
    """The ratio of two standard sample rates by which wet is stretched (1: not at all), and the lag in frames of dry.

    Args:
        dry: `onsets` of dry.
        wet: `onsets` of wet.
    """
    ratios = sorted({first / second for first in STANDARD_RATES_HZ for second in STANDARD_RATES_HZ})
    frames = round(STRETCH_S / FRAME_S)
    best = (0.0, 1.0, 0)
    for ratio in ratios:
        if not 0.45 < ratio < 2.3:
            continue
        own = wet[:, : round(frames * ratio)]
        times = np.arange(0, own.shape[1] - 1, ratio)
        if len(times) < 64:
            continue
        stretched = np.stack([np.interp(times, np.arange(own.shape[1]), band) for band in own])
        lags, score = far_lags(dry[:, :frames], stretched)
        best = max(best, (score, ratio, lags[0]))
    return best[1], best[2]
