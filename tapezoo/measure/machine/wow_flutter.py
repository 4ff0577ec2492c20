"""Wow and flutter by AES6-2008: how much the speed wanders, weighted as it is heard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from tapezoo.measure.machine.machine import Machine, MeasureError, Real

TONE_HZ, TONE_DB, TONE_S = 3150.0, -10.0, 12.0
BAND_HZ = 400.0  # kept on either side of the tone
SPEED_RATE_HZ = 1000
EDGE_S = 0.5  # at either end, where filters ring
LEAST_S = 5.0  # the standard's shortest reading
WOW_HZ, FLUTTER_HZ = (0.1, 6.0), (6.0, 200.0)
SIGMAS = 0.95  # share of the time: two sigma

# The standard's weighting, Hz and dB: AES6-2008, identical with IEC 60386
WEIGHT_HZ = (0.1, 0.2, 0.315, 0.4, 0.63, 0.8, 1.0, 1.6, 2.0, 4.0, 6.3, 10.0, 20.0, 40.0, 63.0, 100.0, 200.0)
WEIGHT_DB = (-48.0, -30.6, -19.7, -15.0, -8.4, -6.0, -4.2, -1.8, -0.9, 0.0, -0.9, -2.1, -5.9, -10.4, -14.2, -17.3,
             -23.0)  # fmt: skip


@dataclass(frozen=True)
class WowFlutter:
    """How a speed wanders, in percent of it.

    Args:
        weighted_percent: +- what the weighted deviation stays under for 95 % of the time (two sigma).
        unweighted_percent: The same without weighting, 0.1 to 200 Hz.
        rms_percent: RMS of the deviation from 0.1 to 200 Hz.
        wow_percent: RMS of its part from 0.1 to 6 Hz.
        flutter_percent: RMS of its part from 6 to 200 Hz.
        drift_percent: Mean deviation: how much the machine is fast.
        seconds: What was measured.
    """

    weighted_percent: float
    unweighted_percent: float
    rms_percent: float
    wow_percent: float
    flutter_percent: float
    drift_percent: float
    seconds: float


def measure_wow_flutter(machine: Machine) -> WowFlutter:
    """Plays 3150 Hz for twelve seconds and demodulates it.

    Args:
        machine: To measure.
    """
    rate = machine.sample_rate
    time = np.arange(round(TONE_S * rate)) / rate
    tone = 10 ** (TONE_DB / 20) * np.sin(2 * np.pi * TONE_HZ * time)
    return wow_flutter(*speed_of_tone(machine.play_one(tone), rate))


def speed_of_tone(signal: Real, sample_rate: int, frequency_hz: float = TONE_HZ) -> tuple[Real, int]:
    """The relative deviation of a tone's frequency over time, and its rate in Hz.

    Args:
        signal: (samples,), a recorded tone.
        sample_rate: Hz.
        frequency_hz: What the tone should be.

    Raises:
        MeasureError: There is no such tone in it.
    """
    spectrum = np.fft.fft(signal)
    frequency = np.fft.fftfreq(len(signal), 1 / sample_rate)
    near = np.abs(frequency - frequency_hz) < BAND_HZ
    if np.square(np.abs(spectrum[near])).sum() <= 0.25 * np.square(np.abs(spectrum[frequency > 0])).sum():
        raise MeasureError(
            "wow and flutter",
            found=f"less than a quarter of the energy near {frequency_hz:g} Hz",
            expected="a recorded tone of that frequency",
            fix="Measure a recording of the tone.",
        )
    analytic = np.fft.ifft(np.where(near, spectrum, 0))
    hertz = np.diff(np.unwrap(np.angle(analytic))) * sample_rate / (2 * np.pi)
    step = max(1, sample_rate // SPEED_RATE_HZ)
    whole = len(hertz) // step * step
    speed = hertz[:whole].reshape(-1, step).mean(axis=1) / frequency_hz - 1
    edge = round(EDGE_S * sample_rate / step)
    return speed[edge:-edge], round(sample_rate / step)


def wow_flutter(speed: Real, rate_hz: float) -> WowFlutter:
    """The figures of a deviation over time.

    Args:
        speed: (points,), relative: 0.01 is one percent fast.
        rate_hz: Points per second, over 400.

    Raises:
        MeasureError: It is shorter than the five seconds of the standard.
    """
    seconds = len(speed) / rate_hz
    if seconds < LEAST_S:
        raise MeasureError(
            "wow and flutter",
            found=f"{seconds:.1f} s",
            expected=f"{LEAST_S:g} s at least, as AES6-2008 asks for",
            fix="Measure a longer recording.",
        )
    drift = float(speed.mean())
    deviation = speed - drift
    frequency: Real = np.fft.rfftfreq(2 * len(speed), 1 / rate_hz).astype(np.float64)
    # mirrored, so that the ends fit together
    spectrum = np.fft.rfft(np.concatenate([deviation, deviation[::-1]]))
    inside = (frequency >= WEIGHT_HZ[0]) & (frequency <= WEIGHT_HZ[-1])

    def part(weight: Real) -> Real:
        made: Real = np.fft.irfft(spectrum * weight, 2 * len(speed))[: len(speed)]
        return made

    def rms(low_hz: float, high_hz: float) -> float:
        return float(
            np.sqrt(
                np.mean(np.square(part(np.where((frequency >= low_hz) & (frequency < high_hz), 1.0, 0.0))))
            )
        )

    def peak(deviation: Real) -> float:
        return float(np.quantile(np.abs(deviation), SIGMAS))

    return WowFlutter(
        100 * peak(part(weighting(frequency))),
        100 * peak(part(np.where(inside, 1.0, 0.0))),
        100 * rms(WOW_HZ[0], FLUTTER_HZ[1]),
        100 * rms(*WOW_HZ),
        100 * rms(*FLUTTER_HZ),
        100 * drift,
        seconds,
    )


def weighting(frequency_hz: Real) -> Real:
    """The standard's weighting as a factor; beyond its table it falls on by 18 dB per octave below and 6 above."""
    hertz = np.maximum(frequency_hz, 1e-6)
    curve = PchipInterpolator(np.log2(WEIGHT_HZ), WEIGHT_DB)
    clipped = np.clip(hertz, WEIGHT_HZ[0], WEIGHT_HZ[-1])
    level = curve(np.log2(clipped))
    level = level + 18 * np.log2(np.minimum(hertz / WEIGHT_HZ[0], 1))
    level = level - 6 * np.log2(np.maximum(hertz / WEIGHT_HZ[-1], 1))
    weight: Real = 10 ** (level / 20)
    return weight
