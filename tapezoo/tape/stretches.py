"""What is learned from: stretches of measured delay, at 100 points per second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapezoo.data.align.trajectory import DelayTrajectory
from tapezoo.tape.errors import TapeError

POINTS_PER_S = 100  # flutter up to 50 Hz, as in Mikkonen et al. 2023
LEAST_POINTS_PER_S = 40  # a spline through fewer makes lines of its own under 20 Hz
SURE = 0.5
GAP_S = 0.3  # a shorter stretch of unsure points is bridged by the spline
LEAP = 7.5  # times the median deviation of the speed: five sigmas of a Gaussian
LEAST_LEAP = 1e-4  # of a speed that hardly deviates at all
STILL_S = 1e-9  # rounding
LEAST_S = 3.0  # of a stretch: two periods of the slowest line that tape machines are known for

Real = NDArray[np.float64]


@dataclass(frozen=True)
class Stretch:
    """A part of a recording whose delay is known throughout.

    Args:
        name: Of the recording.
        delay_s: (points,), s, 100 points per second, without its mean and its slope.
        slope: That slope: by how much a clock or a motor is off, relative.
    """

    name: str
    delay_s: Real
    slope: float

    @property
    def speed(self) -> Real:
        """(points - 1,): relative deviation of the speed; positive: fast."""
        deviation: Real = -np.diff(self.delay_s) * POINTS_PER_S
        return deviation


def delay_of(speed: Real) -> Real:
    """The delay, s, of a relative deviation of the speed without its mean; it begins and ends at 0.

    Shape:
        speed: (points,), 100 per second; returns: likewise.
    """
    delay: Real = -np.cumsum(speed - speed.mean()) / POINTS_PER_S
    return delay


def cut_stretches(name: str, trajectory: DelayTrajectory) -> list[Stretch]:
    """The parts that are sure, without steps, and three seconds or longer.

    Args:
        name: Of the recording.
        trajectory: Its delay.
    """
    times = trajectory.times_s
    ends = np.flatnonzero(np.diff(times) == 0) + 1  # a step: samples were lost there
    sure = trajectory.confidence >= SURE
    while (
        leaping := _leaping(trajectory, sure)
    ).any():  # a leap from one level to another is still one without them
        sure &= ~leaping
    found = []
    for first, last in zip([0, *ends], [*ends, len(times)], strict=True):
        points = np.arange(first, last)[sure[first:last]]
        breaks = np.flatnonzero(np.diff(times[points]) > GAP_S) + 1
        for part in np.split(points, breaks):
            if len(part) > 1 and times[part[-1]] - times[part[0]] >= LEAST_S:
                found.append(_stretch(name, trajectory, part))
    return found


def _leaping(trajectory: DelayTrajectory, sure: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Points at which the speed leaps: what `prepare` has measured wrongly, or an event, neither of which is wow."""
    points = np.flatnonzero(sure)
    gaps = np.diff(trajectory.times_s[points])
    beside = np.flatnonzero((gaps > 0) & (gaps <= GAP_S))
    speed = np.diff(trajectory.delay_samples[points])[beside] / gaps[beside] / trajectory.sample_rate
    found = np.zeros(len(sure), bool)
    if len(speed):
        apart = np.abs(speed - np.median(speed))
        leaps = beside[apart > max(LEAP * float(np.median(apart)), LEAST_LEAP)]
        found[points[leaps]] = found[points[leaps + 1]] = True
    return found


def check_points(name: str, trajectory: DelayTrajectory) -> None:
    """Raises TapeError where the points are too far apart to say anything of flutter."""
    gap_s = float(np.median(np.diff(trajectory.times_s)))
    if gap_s > 1 / LEAST_POINTS_PER_S:
        raise TapeError(
            name,
            found=f"a point every {gap_s:.3g} s",
            expected=f"{LEAST_POINTS_PER_S} points per second at least, for flutter up to half as many Hz",
            fix="Measure the delay more often; `tapezoo prepare` does so 200 times per second.",
        )


def check_stretches(stretches: Sequence[Stretch], sources: str) -> None:
    """Raises TapeError where there is nothing to learn from."""
    if not stretches:
        raise TapeError(
            sources,
            found=f"no stretch of {LEAST_S:g} s in which the delay is sure (confidence {SURE} or more)",
            expected="one at least; minutes are better",
            fix="Record longer, with a pilot (`tapezoo excitation --pilot`), and run `tapezoo prepare` on it.",
        )
    if max(float(np.abs(stretch.delay_s).max()) for stretch in stretches) < STILL_S:
        raise TapeError(
            sources,
            found="a delay that stands still",
            expected="one that wanders",
            fix="A machine without wow and flutter needs no transport.",
        )


def _stretch(name: str, trajectory: DelayTrajectory, part: NDArray[np.int64]) -> Stretch:
    # its points alone: at a step the whole trajectory has the delay after it
    own = DelayTrajectory(
        trajectory.times_s[part],
        trajectory.delay_samples[part],
        trajectory.confidence[part],
        trajectory.sample_rate,
    )
    first_s, last_s = float(own.times_s[0]), float(own.times_s[-1])
    time_s = first_s + np.arange(int((last_s - first_s) * POINTS_PER_S + 1e-6) + 1) / POINTS_PER_S
    delay_s = own.at_times(time_s) / own.sample_rate
    centred = time_s - time_s.mean()
    slope = float(centred @ delay_s / (centred @ centred))
    return Stretch(name, delay_s - delay_s.mean() - slope * centred, slope)
