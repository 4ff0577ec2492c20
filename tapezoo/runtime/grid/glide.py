"""Controls that glide, for players that change something costly: their way is cut into stretches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tapezoo.blocks import whole_hops
from tapezoo.bundle.grid.index import stretch_samples
from tapezoo.runtime.glide import MeanGlide, Positions


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


class Glide(Protocol):
    """Where the controls are, now and later; `tapezoo.runtime.glide.MeanGlide` is one."""

    def turn(self, target: Positions) -> None:
        """A new target from the next sample on."""

    def advance(self, samples: int) -> None:
        """So many samples have passed."""

    def at(self, ahead: int) -> Positions:
        """Where the controls are so many samples on; exactly at the target at the end of the glide."""


class Stretches:
    """Takes the controls from where they are to each new target, a stretch at a time.

    Stretches are counted from the moment the target changed: what is heard does not depend on how the signal is cut
    into blocks. Over a stretch the controls move in a straight line between where the glide has them at its ends;
    where every stretch begins with a new target, a mean of targets is such lines.

    Args:
        kind: A name of `GLIDES`.
        positions: Where the controls stand, (axes,).
        smoothing_samples: What a control takes to a new place.
        hop_samples: Blocks are multiples of it, and stretches too.
    """

    def __init__(self, kind: str, positions: Positions, smoothing_samples: int, hop_samples: int = 1) -> None:
        self._stretch_samples = stretch_samples(hop_samples)
        self._way_samples = whole_hops(smoothing_samples, self._stretch_samples)
        self._glide = GLIDES[kind](positions, smoothing_samples)
        self._target = positions
        self._passed = self._way_samples  # since the target changed
        self._begin = self._end = positions  # of the stretch

    def of_block(self, target: Positions, samples: int) -> Iterator[Stretch]:
        """Goes on for one block.

        Args:
            target: (axes,), where the controls shall go.
            samples: Length of the block.
        """
        if not np.array_equal(target, self._target):
            self._turn(target)
        start = 0
        while start < samples:
            if self._passed >= self._way_samples:
                yield Stretch(slice(start, samples), self._target, self._target, 0, 0)
                return
            done = self._passed % self._stretch_samples
            if not done:
                self._begin, self._end = self._end, self._glide.at(self._stretch_samples)
            length = min(self._stretch_samples - done, samples - start)
            self._passed += length
            self._glide.advance(length)
            yield Stretch(slice(start, start + length), self._begin, self._end, done, self._stretch_samples)
            start += length

    def _turn(self, target: Positions) -> None:
        done = self._passed % self._stretch_samples
        if done:  # in the middle of a stretch, which ends here
            self._end = self._begin + (self._end - self._begin) * (done / self._stretch_samples)
        self._glide.turn(target)
        self._target, self._passed = target, 0


class LineGlide:
    """A line that begins anew with every target: grids of version 1.

    Args:
        positions: See `MeanGlide`.
        smoothing_samples: Of a line.
    """

    def __init__(self, positions: Positions, smoothing_samples: int) -> None:
        self._length, self._passed = smoothing_samples, smoothing_samples
        self._origin = self._target = positions

    def turn(self, target: Positions) -> None:
        """See `Glide.turn`."""
        self._origin, self._target, self._passed = self.at(0), target, 0

    def advance(self, samples: int) -> None:
        """See `Glide.advance`."""
        self._passed += samples

    def at(self, ahead: int) -> Positions:
        """See `Glide.at`."""
        passed = self._passed + ahead
        if passed >= self._length:
            return self._target  # exactly
        return self._origin + (self._target - self._origin) * (passed / self._length)


GLIDES: Mapping[str, Callable[[Positions, int], Glide]] = MappingProxyType(
    {"line": LineGlide, "mean": MeanGlide}
)
