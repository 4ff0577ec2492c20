"""How like the takes that are made are to those of the machine."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.stats import wasserstein_distance

from tapezoo.measure.machine.wow_flutter import LEAST_S, wow_flutter
from tapezoo.tape.stretches import POINTS_PER_S, Real
from tapezoo.tape.two_samples import LEAST_WINDOWS, compare_windows, mean_and_spread

WINDOW_POINTS = 512  # 5.12 s, as in Mikkonen et al. 2023
LOWEST_HZ, HIGHEST_HZ, BANDS = 0.19, 20.0, 10  # five bands per decade
LAGS_S = 2.5
AES6_RATE_HZ = 500  # wow and flutter are defined up to 200 Hz


@dataclass(frozen=True)
class TakeDistance:
    """Of made takes from recorded ones; NaN where there is too little of either.

    Args:
        frequency_hz: (bands,), middles of the bands, Hz.
        real_db: (2, bands), level of the speed in windows of 5.12 s, re its whole: mean, and spread over the windows.
        made_db: The same of what was made.
        deviation_ratio: RMS deviation of the speed, made over real.
        shape: Wasserstein distance of the distributions of the speed, over its standard deviation.
        correlation: Largest difference of the autocorrelations of the speed, over lags up to 2.5 s.
        real_percent: Wow and flutter by AES6-2008, weighted, two sigma; mean over stretches.
        made_percent: The same of stretches as long.
        told_apart: Share of windows whose nearest neighbour is of their own kind; .5 if they cannot be told apart
            (Lopez-Paz, Oquab, "Revisiting classifier two-sample tests", ICLR 2017, with one nearest neighbour).
        copied: Median distance of what was made to the nearest real window over that among real windows; far under 1
            where windows were copied.
        windows: Real windows that were compared.
    """

    frequency_hz: Real
    real_db: Real
    made_db: Real
    deviation_ratio: float
    shape: float
    correlation: float
    real_percent: float
    made_percent: float
    told_apart: float
    copied: float
    windows: int

    @property
    def level_apart_db(self) -> float:
        """The largest difference of a band's mean level, dB; NaN for fewer than eight windows."""
        if self.windows < LEAST_WINDOWS:
            return np.nan
        return float(np.abs(self.made_db[0] - self.real_db[0]).max())

    @property
    def spread_apart_db(self) -> float:
        """The largest difference of a band's spread, dB; NaN likewise."""
        if self.windows < LEAST_WINDOWS:
            return np.nan
        return float(np.abs(self.made_db[1] - self.real_db[1]).max())


def compare_takes(real: Sequence[Real], made: Real) -> TakeDistance:
    """Compares windows of recorded delays with windows of a made one.

    Args:
        real: Delays, s, (points,) each, 100 points per second, one at least. If most are under 5.12 s, windows
            are shorter too.
        made: (points,), as long as all of them together or longer.
    """
    length = min(WINDOW_POINTS, int(np.median([len(delay) for delay in real])))
    windows = np.concatenate([_windows(delay, length) for delay in real])
    made_windows = _windows(made, length)
    frequency, levels = _levels(windows)
    _, made_levels = _levels(made_windows)
    speed, made_speed = (_speed(each) for each in (windows, made_windows))
    deviation = float(speed.std())
    told_apart, copied = compare_windows(levels, made_levels)
    real_percent, made_percent = _weighted(real, made)
    return TakeDistance(
        frequency,
        mean_and_spread(levels),
        mean_and_spread(made_levels),
        float(made_speed.std()) / deviation,
        wasserstein_distance(speed.ravel(), made_speed.ravel()) / deviation,
        float(np.abs(_correlation(speed) - _correlation(made_speed)).max()),
        real_percent,
        made_percent,
        told_apart,
        copied,
        len(windows),
    )


def _windows(delay: Real, length: int) -> Real:
    """(windows, points), side by side: what overlaps would be its own neighbour."""
    count = len(delay) // length
    return delay[: count * length].reshape(count, length)


def _speed(windows: Real) -> Real:
    speed = -np.diff(windows, axis=1) * POINTS_PER_S
    centred: Real = speed - speed.mean(axis=1, keepdims=True)
    return centred


def _levels(windows: Real) -> tuple[Real, Real]:
    """Middles of the bands, and the power of the speed in each: (windows, bands), dB."""
    speed = _speed(windows)
    power = np.square(np.abs(np.fft.rfft(speed * np.hanning(speed.shape[1]), axis=1)))
    hertz = np.fft.rfftfreq(speed.shape[1], 1 / POINTS_PER_S)
    edges = np.geomspace(LOWEST_HZ, HIGHEST_HZ, BANDS + 1)
    masks = [(hertz >= low) & (hertz < high) for low, high in itertools.pairwise(edges)]
    full = [
        number for number, mask in enumerate(masks) if mask.any()
    ]  # short windows have none in the lowest
    bands = np.stack([power[:, masks[number]].mean(axis=1) for number in full], axis=1)
    return np.sqrt(edges[:-1] * edges[1:])[full], 10 * np.log10(np.maximum(bands, 1e-30))


def _correlation(speed: Real) -> Real:
    """Mean over the windows, by lag, 1 at 0."""
    points = speed.shape[1]
    power = np.square(np.abs(np.fft.rfft(speed, 2 * points, axis=1))).mean(axis=0)
    whole = np.fft.irfft(power)[: round(LAGS_S * POINTS_PER_S)]
    found: Real = whole / max(float(whole[0]), 1e-30)
    return found


def _weighted(real: Sequence[Real], made: Real) -> tuple[float, float]:
    """Means over the stretches that are long enough for the standard, and over pieces of the take as long."""
    found, beside, done = [], [], 0
    for delay in real:
        if len(delay) < (LEAST_S + 0.1) * POINTS_PER_S:
            continue
        found.append(_weighted_percent(delay))
        if done + len(delay) > len(made):
            done = 0
        beside.append(_weighted_percent(made[done : done + len(delay)]))
        done += len(delay)
    if not found:
        return np.nan, np.nan
    return float(np.mean(found)), float(np.mean(beside))


def _weighted_percent(delay: Real) -> float:
    # straight lines between the points would take 7 % off flutter of 16 Hz
    curve = CubicSpline(np.arange(len(delay)) / POINTS_PER_S, delay)
    time_s = np.arange(AES6_RATE_HZ // POINTS_PER_S * (len(delay) - 1)) / AES6_RATE_HZ
    return wow_flutter(-curve(time_s, 1), AES6_RATE_HZ).weighted_percent
