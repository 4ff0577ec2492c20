"""What a machine plays when nothing comes in: noise, its spectrum, hum, and the distance to a full-scale tone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tapezoo.measure.machine.distortion import SILENT_DB
from tapezoo.measure.machine.machine import Machine, Real
from tapezoo.measure.spectrum import harmonic_levels_db, power_spectrum
from tapezoo.recordings.hum import LEAST_DBFS

SILENCE_S, SETTLE_S = 4.0, 1.0
TONE_HZ, TONE_S = 1000.0, 0.5
MAINS_HZ = (50.0, 60.0)
HUM_OVER_DB = 6.0  # over the noise beside a line, for it to be hum
LEAST_DB = -200.0  # re full scale: what is left of an offset by rounding is silence


@dataclass(frozen=True)
class Noise:
    """Noise in silence.

    Args:
        frequency_hz: (bins,), Hz.
        density_db: (bins,), dB re full scale per Hz.
        level_db: RMS, dB re full scale; -inf: digital silence.
        a_weighted_db: The same with the A weighting of IEC 61672-1.
        snr_db: RMS of a full-scale sine of 1 kHz after the machine over the noise, dB; not finite where one of them is
            silence.
        hum_hz: 50 or 60 where lines of -120 dB and more stand out at it or at its harmonics, else 0.
        hum_db: RMS of these lines, dB re full scale; -inf: none.
    """

    frequency_hz: Real
    density_db: Real
    level_db: float
    a_weighted_db: float
    snr_db: float
    hum_hz: float
    hum_db: float


def measure_noise(machine: Machine) -> Noise:
    """Plays five seconds of silence, and half a second of a full-scale sine.

    Args:
        machine: To measure.
    """
    rate = machine.sample_rate
    silence = machine.play_one(np.zeros(round((SETTLE_S + SILENCE_S) * rate)))[round(SETTLE_S * rate) :]
    pitch = 2 * np.pi * TONE_HZ / rate
    tone = machine.play_on(lambda time: np.sin(pitch * time)[None], round(TONE_S * rate))[0]
    peak_db = float(harmonic_levels_db(tone[len(tone) // 2 :], TONE_HZ, rate)[0])
    return noise_of(silence, rate, peak_db)


def noise_of(silence: Real, rate: int, tone_peak_db: float) -> Noise:
    """What comes out when nothing comes in, at least a second of it.

    Args:
        silence: (samples,), of the machine.
        rate: Sample rate, Hz.
        tone_peak_db: Peak of a full-scale sine of 1 kHz after the machine, dB re full scale; NaN if it is not known.
    """
    silence = silence - silence.mean()  # an offset is no noise
    power = power_spectrum(silence, rate)
    frequency = np.linspace(0, rate / 2, len(power))
    level = _db(float(np.mean(np.square(silence))))
    weighted = _db(float((power * a_weighting(frequency) ** 2).sum()))
    bin_hz = frequency[1]
    density = 10 * np.log10(np.maximum(power / bin_hz, 1e-24))
    hum_hz, hum_db = _hum(silence, rate)
    tone_db = tone_peak_db - 10 * np.log10(2) if tone_peak_db > SILENT_DB else float("nan")
    return Noise(frequency, density, level, weighted, tone_db - level, hum_hz, hum_db)


def a_weighting(frequency_hz: Real) -> Real:
    """The A weighting of IEC 61672-1 as a factor, 1 at 1 kHz."""
    square = np.square(np.asarray(frequency_hz, np.float64))
    factor: Real = (
        10 ** (2.0 / 20)
        * 12194.217**2
        * square**2
        / (
            (square + 20.598997**2)
            * np.sqrt((square + 107.65265**2) * (square + 737.86223**2))
            * (square + 12194.217**2)
        )
    )
    return factor


def _hum(silence: Real, rate: int) -> tuple[float, float]:
    """Mains and the level of its lines that stand out; (0, -inf) where none does, or nobody would hear them."""
    window = np.hanning(len(silence))
    power = np.square(np.abs(np.fft.rfft(silence * window))) * 2 / np.square(window.sum())
    bin_hz = rate / len(silence)
    best = (0.0, -np.inf)
    for mains in MAINS_HZ:
        total = 0.0
        for number in range(1, 9):
            middle = round(number * mains / bin_hz)
            line = power[middle - 3 : middle + 4]
            beside = np.concatenate([power[middle - 23 : middle - 5], power[middle + 6 : middle + 24]])
            if line.max() > 10 ** (HUM_OVER_DB / 10) * beside.max(initial=1e-24):
                # a Hann window spreads a line over bins whose sum is 1.5 times its power
                total += float(line.sum()) / 1.5
        if _db(total) > max(best[1], LEAST_DBFS):
            best = (mains, _db(total))
    return best


def _db(power: float) -> float:
    return 10 * float(np.log10(power)) if power > 10 ** (LEAST_DB / 10) else -np.inf
