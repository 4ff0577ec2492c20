"""Controls that glide, for players that change something costly: a line of fixed length, cut into stretches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.float64]  # (axes,) in 0..1

SMOOTHING_SAMPLES = 1024  # as tapezoo.net.SMOOTHING_SAMPLES: the net a grid was sampled from glides as long
STRETCH_SAMPLES = 64  # 1.5 ms at 44.1 kHz


@dataclass(frozen=True)
class Stretch:
    """A part of a block in which the controls stand still, or go on along one stretch of a line.

    Args:
        where: In the block.
        begin: Positions before the stretch's first sample.
        end: At its last sample, and from then on where it stands still.
        done: Samples of the stretch that were in blocks before.
        samples: Of the whole stretch, in this block or not; 0 where the controls stand still.
    """

    where: slice
    begin: Positions
    end: Positions
    done: int
    samples: int

    def path(self) -> NDArray[np.float64]:
        """Where the controls are at every sample of the stretch, whatever part of it lies in this block.

        Shape:
            (samples, axes); (1, axes) where they stand still.
        """
        if not self.samples:
            return self.end[np.newaxis]
        share = (np.arange(1, self.samples + 1) / self.samples)[:, np.newaxis]
        return self.begin * (1 - share) + self.end * share

    @property
    def part(self) -> slice:
        """Which samples of `path` lie in this block."""
        if not self.samples:
            return slice(None)
        return slice(self.done, self.done + self.where.stop - self.where.start)


class Glide:
    """Takes the controls from where they are to each new target in a straight line.

    A line has as many whole stretches as `SMOOTHING_SAMPLES` need, counted from the moment the target changed:
    what is heard does not depend on how the signal is cut into blocks.

    Args:
        positions: Where the controls stand, (axes,).
        hop_samples: Blocks are multiples of it, and stretches too.
    """

    def __init__(self, positions: Positions, hop_samples: int = 1) -> None:
        self._stretch_samples = -(-STRETCH_SAMPLES // hop_samples) * hop_samples
        self._stretches = -(-SMOOTHING_SAMPLES // self._stretch_samples)
        self._line_samples = self._stretches * self._stretch_samples
        self._origin = self._target = positions
        self._passed = self._line_samples  # of the line

    def stretches(self, target: Positions, samples: int) -> Iterator[Stretch]:
        """Goes on for one block.

        Args:
            target: (axes,), where the controls shall go; a new one begins a whole line from where they are.
            samples: Length of the block.
        """
        if not np.array_equal(target, self._target):
            self._origin = self._at(self._passed)
            self._target, self._passed = target, 0
        start = 0
        while start < samples:
            if self._passed >= self._line_samples:
                yield Stretch(slice(start, samples), self._target, self._target, 0, 0)
                return
            done = self._passed % self._stretch_samples
            length = min(self._stretch_samples - done, samples - start)
            first = self._passed - done
            begin, end = self._at(first), self._at(first + self._stretch_samples)
            self._passed += length
            yield Stretch(slice(start, start + length), begin, end, done, self._stretch_samples)
            start += length

    def _at(self, passed: int) -> Positions:
        if passed >= self._line_samples:
            return self._target  # exactly
        return self._origin + (self._target - self._origin) * (passed / self._line_samples)
