"""Controls that glide, for players without torch: the reference is `tapezoo.layers.smoothing.glide`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.float64]  # (controls,) in 0..1


class MeanGlide:
    """Controls at the mean of their last N targets, as those of a net.

    Each new target is a step that goes in a straight line of N samples; the lines add up. So the recent targets
    and their ages are the whole state, and the position at any later sample follows from them.

    Args:
        positions: Where the controls stand, (controls,).
        smoothing_samples: N, 1 or more.
    """

    def __init__(self, positions: NDArray[Any], smoothing_samples: int) -> None:
        self._length = smoothing_samples
        self._told: NDArray[np.float64] = np.asarray(positions, np.float64)[np.newaxis]  # the newest last
        self._ages = np.zeros(0, np.int64)  # samples since each target but the first was set

    @property
    def target(self) -> Positions:
        """Where the controls go."""
        newest: Positions = self._told[-1]
        return newest

    @property
    def has_arrived(self) -> bool:
        """Whether they stand there."""
        return self.passed >= self._length

    @property
    def passed(self) -> int:
        """Samples since the newest target was set; N or more once the controls have arrived."""
        return int(self._ages[-1]) if self._ages.size else self._length

    def turn(self, target: NDArray[Any]) -> None:
        """A new target from the next sample on."""
        going = self._ages < self._length
        self._told = np.concatenate([self._told[:-1][going], self._told[-1:], [target]])
        self._ages = np.append(self._ages[going], 0)

    def advance(self, samples: int) -> None:
        """So many samples have passed."""
        self._ages = self._ages + samples

    def offset(self, ahead: int | NDArray[np.int64]) -> NDArray[np.float64]:
        """How far from the target the controls are so many samples on (1: the next one); exactly 0 once there.

        Shape:
            ahead: () or (times,); result: (controls,) or (times, controls).
        """
        left = np.maximum(1 - np.add.outer(ahead, self._ages) / self._length, 0)
        return np.asarray(-(left @ np.diff(self._told, axis=0)))

    def at(self, ahead: int) -> Positions:
        """Where the controls are so many samples on."""
        return self.target + self.offset(ahead)

    def history(self) -> NDArray[np.float64]:
        """(controls, N): the last N targets, the newest last."""
        begins = self._length - np.minimum(self._ages, self._length)
        counts = np.diff(np.concatenate([[0], begins, [self._length]]))
        return np.repeat(self._told, counts, axis=0).T

    @classmethod
    def from_history(cls, history: NDArray[Any]) -> MeanGlide:
        """Goes on from what `history` said."""
        length = history.shape[1]
        begins = 1 + np.flatnonzero((history[:, 1:] != history[:, :-1]).any(axis=0))
        glide = cls(history[:, 0], length)
        glide._told = history[:, np.concatenate([[0], begins])].T.astype(np.float64)
        glide._ages = length - begins
        return glide
