"""Controls that glide, for players that change something costly: their way is cut into stretches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

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


class Glide(ABC):
    """Takes the controls from where they are to each new target, in `SMOOTHING_SAMPLES` rounded up to whole stretches.

    Stretches are counted from the moment the target changed: what is heard does not depend on how the signal is cut
    into blocks. Over a stretch the controls move in a straight line.

    Args:
        positions: Where the controls stand, (axes,).
        hop_samples: Blocks are multiples of it, and stretches too.
    """

    def __init__(self, positions: Positions, hop_samples: int = 1) -> None:
        self._stretch_samples = -(-STRETCH_SAMPLES // hop_samples) * hop_samples
        self._glide_samples = -(-SMOOTHING_SAMPLES // self._stretch_samples) * self._stretch_samples
        self._target = positions
        self._passed = self._glide_samples  # since the target changed
        self._begin = self._end = positions  # of the stretch

    def stretches(self, target: Positions, samples: int) -> Iterator[Stretch]:
        """Goes on for one block.

        Args:
            target: (axes,), where the controls shall go.
            samples: Length of the block.
        """
        if not np.array_equal(target, self._target):
            self._turn(target)
        start = 0
        while start < samples:
            if self._passed >= self._glide_samples:
                yield Stretch(slice(start, samples), self._target, self._target, 0, 0)
                return
            done = self._passed % self._stretch_samples
            if not done:
                self._begin, self._end = self._end, self._at(self._passed + self._stretch_samples)
            length = min(self._stretch_samples - done, samples - start)
            self._passed += length
            yield Stretch(slice(start, start + length), self._begin, self._end, done, self._stretch_samples)
            start += length

    def _turn(self, target: Positions) -> None:
        done = self._passed % self._stretch_samples
        if done:  # in the middle of a stretch, which ends here
            self._end = self._begin + (self._end - self._begin) * (done / self._stretch_samples)
        self._leave(target, self._end)
        self._target, self._passed = target, 0

    @abstractmethod
    def _leave(self, target: Positions, here: Positions) -> None:
        """A new target, before `_target` and `_passed` say so; the controls are `here`."""

    @abstractmethod
    def _at(self, passed: int) -> Positions:
        """Where the controls are so many samples after the target changed; exactly there at the end of the glide."""


class MeanGlide(Glide):
    """At the mean of the last targets, as those of a net (`tapezoo.layers.smoothing.glide`), at the ends of stretches.

    In between the straight line is within a stretch's curvature of that; where every stretch begins with a new
    target, it is exact.
    """

    def __init__(self, positions: Positions, hop_samples: int = 1) -> None:
        super().__init__(positions, hop_samples)
        self._steps = np.zeros((0, len(positions)))  # what each new target was away from the one before
        self._before = np.zeros(0)  # how many samples each was given before the newest

    def _leave(self, target: Positions, here: Positions) -> None:
        before = self._before + self._passed
        going = before < self._glide_samples
        self._steps = np.concatenate([self._steps[going], (target - self._target)[np.newaxis]])
        self._before = np.append(before[going], 0)

    def _at(self, passed: int) -> Positions:
        # each step goes in a straight line of its own
        left = np.maximum(1 - (self._before + passed) / self._glide_samples, 0)
        return np.asarray(self._target - left @ self._steps)


class LineGlide(Glide):
    """In a line that begins anew with every target: grids that were written before `MeanGlide`."""

    def __init__(self, positions: Positions, hop_samples: int = 1) -> None:
        super().__init__(positions, hop_samples)
        self._origin = positions

    def _leave(self, target: Positions, here: Positions) -> None:
        self._origin = here

    def _at(self, passed: int) -> Positions:
        if passed >= self._glide_samples:
            return self._target  # exactly
        return self._origin + (self._target - self._origin) * (passed / self._glide_samples)


GLIDES: Mapping[str, Callable[[Positions, int], Glide]] = MappingProxyType(
    {"line": LineGlide, "mean": MeanGlide}
)
