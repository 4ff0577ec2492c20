"""Gain and group delay over frequency, from a sweep whose harmonics arrive before the linear response."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tapezoo.measure.machine.distortion import SILENT_DB
from tapezoo.measure.machine.machine import Machine, Real

LOWEST_HZ, HIGHEST_SHARE = 20.0, 0.45  # of the sample rate
SWEEP_S, AFTER_S, FADE_S = 6.0, 0.6, 0.02
BEFORE_IR_S, IR_S = (
    0.05,
    0.5,
)  # of the impulse response that is kept; the second harmonic's begins 0.5 s before
POINTS_PER_OCTAVE = 12
DELAY_PERIODS, LEAST_REACH_S = 20.0, 0.005
REGULAR_DB = -80.0  # of the sweep's loudest bin: where it has less there is nothing to divide by


@dataclass(frozen=True)
class Response:
    """The linear part of a machine at one level.

    Args:
        frequency_hz: (points,), Hz.
        gain_db: (points,), dB.
        group_delay_ms: (points,), ms, after the declared latency; of what arrives within twenty periods.
        level_db: Peak of the sweep, dB re full scale.
    """

    frequency_hz: Real
    gain_db: Real
    group_delay_ms: Real
    level_db: float

    @property
    def is_silent(self) -> bool:
        """Whether nothing came out."""
        return float(self.gain_db.max()) <= SILENT_DB


def measure_response(machine: Machine, level_db: float = -30.0) -> Response:
    """Plays an exponential sweep and divides by it; harmonics fall before the response and are cut off.

    Farina, "Simultaneous measurement of impulse response and distortion with a swept-sine technique", AES 108, 2000.

    Args:
        machine: To measure.
        level_db: Peak of the sweep, dB re full scale; most machines are linear at -30.
    """
    sweep = exponential_sweep(machine.sample_rate) * 10 ** (level_db / 20)
    return response_of(sweep, machine.play_one(sweep), machine.sample_rate, level_db)


def response_of(sweep: Real, output: Real, rate: int, level_db: float) -> Response:
    """What an exponential sweep and its output say.

    Args:
        sweep: (samples,), over the whole band, with half a second of silence after it.
        output: (samples,), of the machine, its latency taken out.
        rate: Sample rate, Hz.
        level_db: Peak of the sweep, dB re full scale.
    """
    response = impulse_response(sweep, output)
    before, length = round(BEFORE_IR_S * rate), round(IR_S * rate)
    kept = np.concatenate([response[-before:], response[:length]])
    fade = round(FADE_S * rate)
    window = np.ones(len(kept))
    ramp = 0.5 - 0.5 * np.cos(np.pi * np.arange(fade) / fade)
    window[:fade], window[-fade:] = ramp, ramp[::-1]
    kept = kept * window
    octaves = np.log2(HIGHEST_SHARE * rate / LOWEST_HZ)
    frequency = LOWEST_HZ * 2 ** (np.arange(int(octaves * POINTS_PER_OCTAVE) + 1) / POINTS_PER_OCTAVE)
    time = (np.arange(len(kept)) - before) / rate
    waves = np.exp(-2j * np.pi * frequency[:, None] * time)
    gain_db = 20 * np.log10(np.maximum(np.abs(waves @ kept), 1e-12))
    # noise counts by its distance in time: what is far away for a frequency is left out
    reach = np.clip(DELAY_PERIODS / frequency, LEAST_REACH_S, IR_S)[:, None]
    near = waves * (0.5 + 0.5 * np.cos(np.pi * np.clip(time / reach, -1, 1)))
    spectrum, moment = near @ kept, near @ (kept * time)
    delay = np.real(moment * np.conj(spectrum)) / np.maximum(np.abs(spectrum), 1e-12) ** 2
    return Response(frequency, gain_db, 1e3 * delay, level_db)


def exponential_sweep(sample_rate: int) -> Real:
    """From 10 Hz to just under half the rate, peak 1, faded, with silence after it; (samples,)."""
    begin_hz, end_hz = LOWEST_HZ / 2, 0.49 * sample_rate
    samples = round(SWEEP_S * sample_rate)
    time = np.arange(samples) / sample_rate
    pace = SWEEP_S / np.log(end_hz / begin_hz)
    sweep = np.sin(2 * np.pi * begin_hz * pace * (np.exp(time / pace) - 1))
    begin, end = round(0.1 * sample_rate), round(0.002 * sample_rate)
    sweep[:begin] *= 0.5 - 0.5 * np.cos(np.pi * np.arange(begin) / begin)
    sweep[-end:] *= 0.5 + 0.5 * np.cos(np.pi * np.arange(end) / end)
    return np.concatenate([sweep, np.zeros(round(AFTER_S * sample_rate))])


def impulse_response(input: Real, output: Real) -> Real:
    """The response around time 0 of the whole of two signals, circular: what is before 0 stands at the end."""
    length = 2 * len(input)
    heard, made = np.fft.rfft(input, length), np.fft.rfft(output, length)
    power = np.abs(heard) ** 2
    least = power.max(initial=0.0) * 10 ** (REGULAR_DB / 10)
    response: Real = np.fft.irfft(made * np.conj(heard) / np.maximum(power, least), length)
    return response
