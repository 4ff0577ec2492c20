"""A recording seen in frames of 20 ms: where it is silent, and how loud it is there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapezoo.data.streams import BLOCK_SAMPLES, blocks

FRAME_S = 0.02

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Frames:
    """One value per frame; samples after the last whole frame are left out.

    Args:
        peak: Highest magnitude.
        mean: Mean.
        variance: Mean square about the mean.
    """

    peak: NDArray[np.float32]
    mean: Values
    variance: Values

    def power(self, level: float) -> Values:
        """Mean square about a common level."""
        return self.variance + np.square(self.mean - level)


def frame_samples(sample_rate: int) -> int:
    """Samples of a frame."""
    return max(1, round(FRAME_S * sample_rate))


def cut_frames(samples: NDArray[np.float32], sample_rate: int) -> Frames:
    """Cuts a signal into frames, in constant memory.

    Args:
        samples: (samples,).
        sample_rate: In Hz.
    """
    size = frame_samples(sample_rate)
    whole = samples[: len(samples) // size * size]
    parts = []
    for block in blocks(whole, max(1, BLOCK_SAMPLES // size) * size):
        frames = block.reshape(-1, size).astype(np.float64)
        parts.append((np.abs(frames).max(axis=1).astype(np.float32), frames.mean(axis=1), frames.var(axis=1)))
    if not parts:
        return Frames(np.zeros(0, np.float32), np.zeros(0), np.zeros(0))
    peak, mean, variance = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Frames(peak, mean, variance)


def runs_of(chosen: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Runs of chosen frames: first, and one past the last."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], chosen.astype(np.int8), [0]))))
    return [(int(start), int(stop)) for start, stop in zip(edges[::2], edges[1::2], strict=True)]
