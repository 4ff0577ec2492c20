"""By how much one machine differs from another: one figure for each measure, from what was measured of both."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapezoo.measure.machine.aliasing import Aliasing
from tapezoo.measure.machine.distortion import MEASURED_S, Distortion
from tapezoo.measure.machine.machine import Real
from tapezoo.measure.machine.noise import Noise
from tapezoo.measure.machine.response import Response
from tapezoo.measure.machine.wow_flutter import WowFlutter
from tapezoo.measure.third_octaves import third_octaves

LOWEST_HZ, HIGHEST_HZ = 40.0, 16_000.0
HEARD_DB = -60.0  # under the largest gain: what is lower is measured badly and not heard
CLEAN_DB = -100.0  # of the fundamental: harmonics and aliases below it are rounding
ABOVE_NOISE_DB = 10.0  # the reading of a line in noise is off by 3 dB at most
LINE_BANDWIDTH_HZ = 1.5 / MEASURED_S  # of a Hann window
LOWEST_BAND, HIGHEST_BAND = -10, 12  # third octaves from 100 Hz to 16 kHz; the spectrum has bins of 10 Hz
SILENT_BAND_DB = -120.0  # re full scale
STILL_PERCENT = 0.001


@dataclass(frozen=True)
class Deviation:
    """How far apart two curves are.

    Args:
        rms: Root of the mean square of their difference over the points.
        largest: Of its absolute values.
    """

    rms: float
    largest: float


NOTHING = Deviation(math.nan, math.nan)


def response_deviation(one: Response, other: Response) -> Deviation:
    """Of two gains over frequency, dB, from 40 Hz to 16 kHz, twelve points per octave.

    The median difference, the gain, is taken out first. Gains more than 60 dB under a machine's largest count as 60 dB.
    NaN where one of them is silent.
    """
    if one.is_silent or other.is_silent:
        return NOTHING
    inside = _inside(one)
    gains = [
        np.maximum(response.gain_db, response.gain_db[inside].max() + HEARD_DB) for response in (one, other)
    ]
    return _without_median(gains[0][inside] - gains[1][inside])


def delay_deviation(one: Response, other: Response) -> Deviation:
    """Of two group delays over frequency, ms, at the points of `response_deviation` where both machines are heard.

    The median difference, a constant delay, is taken out first. NaN where one of them is silent.
    """
    if one.is_silent or other.is_silent:
        return NOTHING
    inside = _inside(one)
    for response in (one, other):
        inside &= response.gain_db > response.gain_db[_inside(response)].max() + HEARD_DB
    return _without_median((one.group_delay_ms - other.group_delay_ms)[inside])


def harmonic_distance_db(one: Distortion, other: Distortion, noises: tuple[Noise, Noise]) -> float:
    """RMS difference of the levels of the harmonics 2 to 10, dB re the fundamental, over all sines and levels played.

    Counted are the harmonics that stand 10 dB above the noise, and above -100 dB, in either machine; where one stands
    below in the other, it counts as that floor there. NaN where neither machine has any.
    """
    levels, floors = [], []
    for distortion, noise in zip((one, other), noises, strict=True):
        fundamental = distortion.harmonic_db[..., :1]
        levels.append(distortion.harmonic_db[..., 1:] - fundamental)
        lines = _noise_of_lines_db(distortion, noise) + ABOVE_NOISE_DB
        floors.append(np.maximum(lines[:, None, 1:] - fundamental, CLEAN_DB))
    stands = (levels[0] > floors[0]) | (levels[1] > floors[1])
    plays = np.isfinite(one.thd_percent) & np.isfinite(other.thd_percent)
    apart = np.maximum(levels[0], floors[0]) - np.maximum(levels[1], floors[1])
    return _rms(apart[stands & plays[..., None]])


def thd_ratio(one_percent: float, other_percent: float) -> float:
    """How many times the first machine's THD is the second's; NaN where either is under -100 dB."""
    return _ratio(one_percent, other_percent, 100 * 10 ** (CLEAN_DB / 20))


def aliasing_difference_db(one: Aliasing, other: Aliasing) -> float:
    """By how many dB the first machine's aliases are higher over its harmonics, mean over the sines; -100 at least."""
    levels = [np.maximum(aliasing.aliased_db, CLEAN_DB) for aliasing in (one, other)]
    return float((levels[0] - levels[1]).mean()) if len(levels[0]) else math.nan


def noise_distance_db(one: Noise, other: Noise) -> float:
    """RMS difference of two noises in silence, dB, over third octaves from 100 Hz to 16 kHz (IEC 61260-1).

    Bands under -120 dB re full scale count as -120; NaN where both machines are silent in all.
    """
    bands = [_third_octaves_db(noise) for noise in (one, other)]
    if max(float(levels.max()) for levels in bands) <= SILENT_BAND_DB:
        return math.nan
    return _rms(bands[0] - bands[1])


def flutter_ratio(one: WowFlutter | None, other: WowFlutter | None) -> float:
    """How many times the first machine's weighted wow and flutter is the second's; NaN where either stands still."""
    if one is None or other is None:
        return math.nan
    return _ratio(one.weighted_percent, other.weighted_percent, STILL_PERCENT)


def _inside(response: Response) -> NDArray[np.bool_]:
    return (response.frequency_hz >= LOWEST_HZ) & (response.frequency_hz <= HIGHEST_HZ)


def _without_median(apart: Real) -> Deviation:
    if not len(apart):
        return NOTHING
    apart = apart - np.median(apart)
    return Deviation(_rms(apart), float(np.abs(apart).max()))


def _rms(values: Real) -> float:
    return float(np.sqrt(np.mean(np.square(values)))) if values.size else math.nan


def _ratio(one: float, other: float, least: float) -> float:
    return one / other if min(one, other) >= least else math.nan


def _noise_of_lines_db(distortion: Distortion, noise: Noise) -> Real:
    """(frequencies, harmonics): what noise alone gives where a harmonic is read, as a peak, dB re full scale."""
    numbers = np.arange(1, distortion.harmonic_db.shape[-1] + 1)
    hertz = distortion.frequency_hz[:, None] * numbers
    density_db = np.interp(hertz, noise.frequency_hz, noise.density_db)
    # a sine of peak 1 has half the power of what is read as 1
    lines: Real = density_db + 10 * np.log10(2 * LINE_BANDWIDTH_HZ)
    return lines


def _third_octaves_db(noise: Noise) -> Real:
    power = 10 ** (noise.density_db / 10) * noise.frequency_hz[1]
    _, bands = third_octaves(power, noise.frequency_hz, LOWEST_BAND, HIGHEST_BAND)
    levels: Real = 10 * np.log10(np.maximum(bands, 10 ** (SILENT_BAND_DB / 10)))
    return levels
