"""Harmonics and total harmonic distortion of sines, by frequency and level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tapezoo.measure.machine.machine import Machine, Real, Rows
from tapezoo.measure.spectrum import harmonic_levels_db

FREQUENCIES_HZ = (100.0, 1000.0, 5000.0)
LEVELS_DB = (-40.0, -30.0, -20.0, -10.0, -6.0, -3.0, 0.0)
SETTLE_S, MEASURED_S = 0.3, 0.2
HARMONICS = 10  # that THD counts
SILENT_DB = -150.0  # a fundamental below it is none


@dataclass(frozen=True)
class Distortion:
    """What sines become.

    Args:
        frequency_hz: (frequencies,), Hz.
        level_db: (levels,), peaks of the input, dB re full scale.
        harmonic_db: (frequencies, levels, 10), peaks of the output, dB re full scale, the fundamental first; -200 where
            a harmonic is over half the sample rate.
        thd_percent: (frequencies, levels), RMS of the harmonics from the second on over the fundamental; NaN
            where there is none.
    """

    frequency_hz: Real
    level_db: Real
    harmonic_db: NDArray[np.float64]
    thd_percent: NDArray[np.float64]

    def harmonic_percent(self, number: int) -> NDArray[np.float64]:
        """(frequencies, levels): one harmonic over the fundamental; NaN where there is none."""
        share: NDArray[np.float64] = 100 * 10 ** (
            (self.harmonic_db[..., number - 1] - self.harmonic_db[..., 0]) / 20
        )
        return np.where(self.harmonic_db[..., 0] > SILENT_DB, share, np.nan)


def measure_distortion(
    machine: Machine,
    frequencies_hz: Sequence[float] = FREQUENCIES_HZ,
    levels_db: Sequence[float] = LEVELS_DB,
) -> Distortion:
    """Plays a sine of each frequency at each level for half a second and measures its last 0.2 s.

    THD after IEC 60268-3, without noise: the harmonics two to ten.

    Args:
        machine: To measure.
        frequencies_hz: Under a quarter of the sample rate, so that there is a second harmonic; others are left out.
        levels_db: Peaks, dB re full scale.
    """
    rate = machine.sample_rate
    frequencies = [hz for hz in frequencies_hz if hz < rate / 4]
    peaks = 10 ** (np.asarray(levels_db, np.float64) / 20)
    harmonic = np.full((len(frequencies), len(peaks), HARMONICS), -200.0)
    measured = round(MEASURED_S * rate)
    samples = round((SETTLE_S + MEASURED_S) * rate)
    for index, hz in enumerate(frequencies):
        output = machine.play_on(partial(_sines, peaks, 2 * np.pi * hz / rate), samples)
        for level, row in enumerate(output):
            found = harmonic_levels_db(row[-measured:], hz, rate)[:HARMONICS]
            harmonic[index, level, : len(found)] = found
    amplitude = 10 ** (harmonic / 20)
    thd = 100 * np.sqrt(np.square(amplitude[..., 1:]).sum(axis=-1)) / amplitude[..., 0]
    thd = np.where(harmonic[..., 0] > SILENT_DB, thd, np.nan)
    return Distortion(np.asarray(frequencies), np.asarray(levels_db, np.float64), harmonic, thd)


def _sines(peaks: Real, pitch: float, time: Real) -> Rows:
    sines: Rows = peaks[:, None] * np.sin(pitch * time)
    return sines
