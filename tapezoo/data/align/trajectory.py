"""A delay that changes over time."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

Real = NDArray[np.float64]

# a point's effect on a natural spline falls to 0.27 from point to point: 32 away it is below double precision
NEIGHBOUR_POINTS = 32


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
        """The delay at any times of wet, in samples; the cost grows only with the points between them."""
        asked = np.asarray(times_s, dtype=np.float64)
        if asked.size == 0:
            return np.empty(asked.shape)
        low, high = np.searchsorted(self.times_s, (asked.min(), asked.max()), side="right")
        near = slice(max(0, int(low) - NEIGHBOUR_POINTS), int(high) + NEIGHBOUR_POINTS)
        times, values = self.times_s[near], self.delay_samples[near]
        inside = np.clip(asked, times[0], times[-1])
        steps = np.flatnonzero(np.diff(times) == 0) + 1
        piece_of = np.searchsorted(times[steps], inside, side="right")
        delay = np.empty(asked.shape)
        for number, (first, last) in enumerate(itertools.pairwise([0, *steps.tolist(), len(times)])):
            here = piece_of == number
            if here.any():
                delay[here] = _curve(times[first:last], values[first:last], inside[here])
        return delay

    def shifted(self, samples: float) -> DelayTrajectory:
        """The same with `samples` added to the delay."""
        return DelayTrajectory(self.times_s, self.delay_samples + samples, self.confidence, self.sample_rate)

    @property
    def wander_samples(self) -> float:
        """Spread of the delay: from its 5th to its 95th percentile."""
        low, high = np.percentile(self.delay_samples, (5, 95))
        return float(high - low)


def _curve(times: Real, values: Real, asked: Real) -> Real:
    if len(times) < 4:
        return np.asarray(np.interp(asked, times, values))
    curve = CubicSpline(times, values, bc_type="natural")
    return np.asarray(curve(np.clip(asked, times[0], times[-1])))
