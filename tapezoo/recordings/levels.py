"""How loud a recording is: its peak, the levels of its blocks, and where it is clipped."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapezoo.data.audio import Audio
from tapezoo.data.checks import CLIPPED_RUNS, count_clipped
from tapezoo.data.frames import Frames
from tapezoo.data.streams import extremes

LOWEST_DB, STEP_DB = -60, 6
FULL_SCALE = 0.985  # -0.13 dBFS: converters and editors stop a little below
BLOCK_FRAMES = 3  # 60 ms


@dataclass(frozen=True)
class Levels:
    """Where the levels of a signal lie.

    Args:
        peak: Highest magnitude, full scale is 1.
        loudest_db: RMS of the loudest block of 60 ms, dBFS.
        quietest_db: RMS that 95 % of the blocks above -60 dBFS exceed.
        shares: Share of all blocks in steps of 6 dB from -60 dBFS up; what is quieter is in none.
    """

    peak: float
    loudest_db: float
    quietest_db: float
    shares: tuple[float, ...]

    def gaps_db(self) -> list[tuple[int, int]]:
        """Stretches between the quietest and the loudest level that hardly a block has."""
        held = [number for number, share in enumerate(self.shares) if share > 0]
        gaps: list[tuple[int, int]] = []
        for number in range(held[0] + 1, held[-1]) if held else ():
            if self.shares[number] == 0 and LOWEST_DB + STEP_DB * number > self.quietest_db:
                low = LOWEST_DB + STEP_DB * number
                if gaps and gaps[-1][1] == low:
                    gaps[-1] = (gaps[-1][0], low + STEP_DB)
                else:
                    gaps.append((low, low + STEP_DB))
        return gaps


def measure_levels(signal: Audio, frames: Frames) -> Levels:
    """The levels of one channel.

    Args:
        signal: (samples,).
        frames: Of the same.
    """
    low, high = extremes(signal)
    power = frames.power(0.0)
    whole = len(power) // BLOCK_FRAMES * BLOCK_FRAMES
    blocks = power[:whole].reshape(-1, BLOCK_FRAMES).mean(axis=1) if whole else power
    level_db = 10 * np.log10(blocks + 1e-20)
    edges = np.arange(LOWEST_DB, STEP_DB, STEP_DB)
    counted: NDArray[np.int64] = np.histogram(np.minimum(level_db, -1e-9), edges)[0]
    sounding = level_db[level_db > LOWEST_DB]
    return Levels(
        max(-low, high),
        float(level_db.max()) if len(level_db) else -200.0,
        float(np.quantile(sounding, 0.05)) if len(sounding) else -200.0,
        tuple((counted / max(1, len(level_db))).tolist()),
    )


@dataclass(frozen=True)
class Clipping:
    """Flat tops and bottoms.

    Args:
        samples: That stand in runs at the highest or lowest value.
        level: Magnitude of the side that is clipped most; 0 where none is.
        lowest_level: Magnitude of the side that is clipped first; infinite where none is.
    """

    samples: int
    level: float
    lowest_level: float = math.inf

    @property
    def is_at_full_scale(self) -> bool:
        """Whether the recorder clipped; else something before it did."""
        return self.level >= FULL_SCALE


def find_clipping(signal: Audio) -> Clipping:
    """Runs of samples at one level at the top or at the bottom.

    Shape:
        signal: (samples,).
    """
    found: Sequence[tuple[int, float]] = [
        (flat, abs(level))
        for level, is_crossed in zip(
            extremes(signal), (extremes(signal)[0] < 0, extremes(signal)[1] > 0), strict=True
        )
        if is_crossed
        and (counted := count_clipped(signal, level))[0] >= CLIPPED_RUNS
        and (flat := counted[1])
    ]
    if not found:
        return Clipping(0, 0.0)
    return Clipping(sum(flat for flat, _ in found), max(found)[1], min(level for _, level in found))
