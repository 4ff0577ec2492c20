"""Arrays for recordings of any length: in memory where they are short, in a file of a scratch folder where not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapezoo.data.audio import Audio
from tapezoo.data.errors import CacheError
from tapezoo.data.streams import LARGE_SAMPLES, release

BLOCK_SAMPLES = 1 << 18


@dataclass(frozen=True)
class Scratch:
    """Gives arrays of float32, good for as long as its folder exists."""

    folder: Path

    def array(self, channels: int, samples: int) -> Audio:
        """Zeros.

        Shape:
            returns: (channels, samples).
        """
        if channels * samples <= LARGE_SAMPLES:
            return np.zeros((channels, samples), np.float32)
        path = self.folder / f"{len(list(self.folder.iterdir()))}.f32"
        try:
            return np.memmap(path, dtype=np.float32, mode="w+", shape=(channels, samples))
        except OSError as error:
            raise CacheError.from_os(self.folder, error) from error

    def filled(self, channels: int, samples: int, blocks: Iterator[NDArray[Any]]) -> Audio:
        """An array of what blocks of (channels, samples) hold together, `samples` at most.

        Shape:
            returns: (channels, samples there were).
        """
        array = self.array(channels, samples)
        done = 0
        for block in blocks:
            kept = block[:, : samples - done]
            array[:, done : done + kept.shape[1]] = kept
            done += kept.shape[1]
            release(array)
        return array[:, :done]


def spans(samples: int, block_samples: int = BLOCK_SAMPLES) -> Iterator[tuple[int, int]]:
    """First sample, and one past the last, of consecutive blocks."""
    for start in range(0, samples, block_samples):
        yield start, min(samples, start + block_samples)
