"""Intermodulation: what two tones make that neither makes alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tapezoo.measure.machine.distortion import SILENT_DB
from tapezoo.measure.machine.machine import Machine, Real, Rows

SETTLE_S, MEASURED_S = 0.5, 1.0  # the tones have whole periods in a second
LOW_HZ, HIGH_HZ, RATIO = 60, 7000, 4.0
NEAR_HZ = (19000, 20000)
SMPTE_LEAST_RATE_HZ, NEAR_LEAST_RATE_HZ = 16000, 44100
LEAST = 10 ** (SILENT_DB / 20)  # of tones: what is less is none


@dataclass(frozen=True)
class Intermodulation:
    """Distortion of two pairs of tones.

    Args:
        level_db: Peak of the sum of two tones, dB re full scale.
        smpte_percent: SMPTE RP 120, 60 Hz and 7 kHz, 4 to 1: RMS of the side lines at 7 kHz +- 60 and +- 120 Hz over
            the amplitude at 7 kHz; NaN under 16 kHz, or where it does not come out.
        ccif_second_percent: CCIF (IEC 60268-3), 19 and 20 kHz at equal levels: the line at 1 kHz over the sum of the
            amplitudes at 19 and 20 kHz; NaN under 44.1 kHz, or where they do not come out.
        ccif_third_percent: The same for the lines at 18 and 21 kHz, added up.
    """

    level_db: float
    smpte_percent: float
    ccif_second_percent: float
    ccif_third_percent: float


def measure_intermodulation(machine: Machine, level_db: float = -10.0) -> Intermodulation:
    """Plays both pairs of tones for one and a half seconds each.

    Args:
        machine: To measure.
        level_db: Peak of the sum of two tones, dB re full scale.
    """
    rate, peak = machine.sample_rate, 10 ** (level_db / 20)
    wide = rate >= NEAR_LEAST_RATE_HZ

    def tones(time: Real) -> Rows:
        seconds = time / rate
        smpte = peak / (1 + RATIO) * (RATIO * _sine(LOW_HZ, seconds) + _sine(HIGH_HZ, seconds))
        near = peak / 2 * (_sine(NEAR_HZ[0], seconds) + _sine(NEAR_HZ[1], seconds))
        return np.stack([smpte, near] if wide else [smpte])

    output = machine.play_on(tones, round((SETTLE_S + MEASURED_S) * rate))[:, -round(MEASURED_S * rate) :]
    side = [_amplitude(output[0], HIGH_HZ + step * LOW_HZ, rate) for step in (-2, -1, 1, 2)]
    percent = float("nan")
    if rate >= SMPTE_LEAST_RATE_HZ:
        percent = _percent(float(np.sqrt(np.sum(np.square(side)))), _amplitude(output[0], HIGH_HZ, rate))
    if not wide:
        return Intermodulation(level_db, percent, float("nan"), float("nan"))
    low, high = NEAR_HZ
    both = _amplitude(output[1], low, rate) + _amplitude(output[1], high, rate)
    second = _amplitude(output[1], high - low, rate)
    third = _amplitude(output[1], 2 * low - high, rate) + _amplitude(output[1], 2 * high - low, rate)
    return Intermodulation(level_db, percent, _percent(second, both), _percent(third, both))


def _percent(lines: float, tones: float) -> float:
    return 100 * lines / tones if tones > LEAST else float("nan")


def _sine(frequency_hz: float, time: Real) -> Real:
    wave: Real = np.sin(2 * np.pi * frequency_hz * time)
    return wave


def _amplitude(signal: Real, frequency_hz: float, rate: int) -> float:
    """Of one line, in a Hann window, so that drifting machines do not spread it."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(len(signal)) / len(signal))
    wave = np.exp(-2j * np.pi * frequency_hz / rate * np.arange(len(signal)))
    return float(2 * np.abs(wave @ (signal * window)) / window.sum())
