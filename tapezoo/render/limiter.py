"""A look-ahead peak limiter for streams: no sample over the ceiling, no clicks, no delay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from tapezoo.render.soundfiles import Interleaved


@dataclass(frozen=True)
class Limiter:
    """Settings of the safety limiter of `render`.

    Args:
        ceiling_db: Highest sample peak let through, dB relative to full scale, at most 0.
        lookahead_ms: How long before a peak the gain starts to fall, > 0.
        release_db_per_s: How fast the gain comes back, dB per second, > 0.
    """

    ceiling_db: float = -0.1
    lookahead_ms: float = 2.0
    release_db_per_s: float = 100.0

    def __post_init__(self) -> None:
        if self.ceiling_db > 0 or self.lookahead_ms <= 0 or self.release_db_per_s <= 0:
            raise ValueError(f"a limiter needs ceiling_db <= 0 and positive times: {self}")


@dataclass
class Reduction:
    """What a limiter did, filled in while the audio passes."""

    max_db: float = field(default=0.0)


def limit(
    blocks: Iterable[Interleaved], limiter: Limiter, sample_rate: int, reduction: Reduction
) -> Iterator[Interleaved]:
    """Passes `blocks` through the limiter; as many samples come out as go in, at the same places.

    With W the look-ahead in samples, the gain that sample n asks for is held over the W - 1 samples before
    it (a sliding minimum), released along a straight line in dB, and smoothed by a Hann window of length W
    whose weights sum to one. All W values under that window are at most what n asks for, so their mean is,
    too: the ceiling is kept exactly. The construction (sliding minimum, then an averaging filter of the same
    length) is that of Giannoulis, Massberg and Reiss's survey "Digital Dynamic Range Compressor Design",
    JAES 60(6), 2012, with look-ahead. All channels share one gain, so the stereo image stays where it is.

    Args:
        blocks: Arrays (samples, channels) of any length, full scale is +-1.
        limiter: The settings.
        sample_rate: Of the blocks, Hz.
        reduction: Receives the largest gain reduction, dB.
    """
    window = max(2, round(limiter.lookahead_ms * 1e-3 * sample_rate))
    ceiling = 10 ** (limiter.ceiling_db / 20)
    slope_db = limiter.release_db_per_s / sample_rate
    weights = np.hanning(window + 2)[1:-1]  # without the two zeros at the ends
    weights /= weights.sum()

    audio: Interleaved | None = None  # samples whose gain is not known yet
    asked_db = np.zeros(0)  # gains for the end of `audio`; W - 1 of them still need later samples
    released_db = 0.0
    held_db: NDArray[np.float64] | None = None
    for block, is_last in _mark_last(blocks):
        audio = block if audio is None else np.concatenate((audio, block))
        peak = np.abs(block).max(axis=1, initial=0.0)
        asked_db = np.concatenate((asked_db, -20 * np.log10(np.maximum(peak / ceiling, 1.0))))
        if is_last:
            asked_db = np.concatenate((asked_db, np.zeros(window - 1)))  # nothing comes after the end
        ready = len(asked_db) - (window - 1)
        if ready <= 0:
            continue
        least_db = sliding_window_view(asked_db, window).min(axis=1)
        asked_db = asked_db[ready:]
        # min over k <= n of (least[k] + slope * (n - k)): instant fall, straight release
        ramp_db = slope_db * np.arange(1, ready + 1)
        line_db = np.minimum(np.minimum.accumulate(least_db - ramp_db), released_db) + ramp_db
        line_db = np.minimum(line_db, 0.0)
        released_db = float(line_db[-1])
        if held_db is None:  # before the first sample the gain was what its look-ahead asks for
            held_db = np.full(window - 1, line_db[0])
        held_db = np.concatenate((held_db, line_db))
        gain_db = np.convolve(held_db, weights, mode="valid")
        held_db = held_db[ready:]
        reduction.max_db = max(reduction.max_db, float(-gain_db.min()))
        yield audio[:ready] * (10 ** (gain_db / 20))[:, None]
        audio = audio[ready:]


def _mark_last(blocks: Iterable[Interleaved]) -> Iterator[tuple[Interleaved, bool]]:
    """Each block, and whether it is the last one."""
    iterator = iter(blocks)
    current = next(iterator, None)
    while current is not None:
        following = next(iterator, None)
        yield current, following is None
        current = following
