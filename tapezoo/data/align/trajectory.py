"""A delay that changes over time: its values, and the CSV file they stand in."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

Real = NDArray[np.float64]


@dataclass(frozen=True)
class DelayTrajectory:
    """The delay of wet against dry over the time of wet: `wet[n]` answers dry at `n - delay(n)`.

    Between the points the delay is a cubic spline, before the first and after the last it stands still. A time that
    comes twice is a step, where a recorder lost or repeated samples: the spline ends there and begins anew.

    Args:
        times_s: Where the points are, in seconds of wet, never falling.
        delay_samples: Whole delay there, in samples of the recording; positive: wet comes later.
        confidence: How sure each point is, 0 to 1; below 0.5 it was carried over from its neighbours.
        sample_rate: Of the recording, in Hz.

    Shape:
        times_s, delay_samples, confidence: (points,), one point or more.
    """

    times_s: Real
    delay_samples: Real
    confidence: Real
    sample_rate: int

    def at(self, start: int, stop: int) -> Real:
        """The delay at the wet samples `start` to `stop`, in samples.

        Shape:
            returns: (stop - start,).
        """
        return self.at_times(np.arange(start, stop) / self.sample_rate)

    def at_times(self, times_s: NDArray[Any]) -> Real:
        """The delay at any times of wet, in samples."""
        inside = np.clip(times_s, self.times_s[0], self.times_s[-1])
        piece_of = np.searchsorted(self._steps(), inside, side="right")
        delay = np.empty(inside.shape)
        for number, (first, last) in enumerate(self._pieces()):
            here = piece_of == number
            if not here.any():
                continue
            times, values = self.times_s[first:last], self.delay_samples[first:last]
            if len(times) < 4:
                delay[here] = np.interp(inside[here], times, values)
            else:
                curve = CubicSpline(times, values, bc_type="natural")
                delay[here] = curve(np.clip(inside[here], times[0], times[-1]))
        return delay

    def shifted(self, samples: float) -> DelayTrajectory:
        """The same with `samples` added to the delay."""
        return DelayTrajectory(self.times_s, self.delay_samples + samples, self.confidence, self.sample_rate)

    @property
    def wander_samples(self) -> float:
        """Spread of the delay: from its 5th to its 95th percentile."""
        low, high = np.percentile(self.delay_samples, (5, 95))
        return float(high - low)

    def _steps(self) -> Real:
        return np.asarray(self.times_s[1:][np.diff(self.times_s) == 0])

    def _pieces(self) -> list[tuple[int, int]]:
        cuts = np.flatnonzero(np.diff(self.times_s) == 0) + 1
        edges = [0, *cuts.tolist(), len(self.times_s)]
        return list(itertools.pairwise(edges))
