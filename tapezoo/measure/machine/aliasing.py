"""Aliases: what a sine becomes that is no harmonic of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tapezoo.measure.machine.distortion import SILENT_DB
from tapezoo.measure.machine.machine import Machine, Real

FREQUENCIES_HZ = (1250.0, 4200.0, 7500.0)
LEVEL_DB = -6.0
SAMPLES, SETTLE_SAMPLES = 1 << 15, 1 << 14
LEAST = (10 ** (SILENT_DB / 20) * SAMPLES / 2) ** 2  # power of a line: what is less is none
LOWEST_BIN = 16  # what wanders slowly is no alias


@dataclass(frozen=True)
class Aliasing:
    """Energy of what is not harmonic over what is, by frequency of the sine.

    Args:
        frequency_hz: (frequencies,), Hz: whole odd numbers of periods in 32768 samples.
        level_db: Peak of the sines, dB re full scale.
        aliased_db: (frequencies,), dB re the fundamental and its harmonics under half the rate. Noise counts too. NaN
            where nothing came out.
    """

    frequency_hz: Real
    level_db: float
    aliased_db: Real


def measure_aliasing(
    machine: Machine, frequencies_hz: Sequence[float] = FREQUENCIES_HZ, level_db: float = LEVEL_DB
) -> Aliasing:
    """Plays sines and adds up the power in all bins but those of the harmonics.

    Args:
        machine: To measure.
        frequencies_hz: Under a third of the sample rate; others are left out. Each moves to the next whole odd number
            of periods that is prime, so that no alias falls on a harmonic.
        level_db: Peak, dB re full scale.
    """
    rate = machine.sample_rate
    periods = [_prime(round(hz * SAMPLES / rate)) for hz in frequencies_hz if hz < rate / 3]
    pitch = 2 * np.pi * np.array(periods)[:, None] / SAMPLES
    peak = 10 ** (level_db / 20)
    output = machine.play_on(lambda time: peak * np.sin(pitch * time), SETTLE_SAMPLES + SAMPLES)[:, -SAMPLES:]
    power = np.square(np.abs(np.fft.rfft(output)))
    aliased = []
    for count, bins in zip(periods, power, strict=True):
        harmonic = np.zeros(len(bins), bool)
        harmonic[count::count] = True
        other = ~harmonic
        other[:LOWEST_BIN] = False
        wanted = float(bins[harmonic].sum())
        share = float(bins[other].sum()) / wanted if wanted > LEAST else float("nan")
        aliased.append(10 * np.log10(np.maximum(share, 1e-20)))
    return Aliasing(np.asarray(periods) * rate / SAMPLES, level_db, np.asarray(aliased))


def _prime(number: int) -> int:
    """The first prime from a number on; never 2, which divides the length."""
    number = max(number, 3)
    while any(number % divisor == 0 for divisor in range(2, int(number**0.5) + 1)):
        number += 1
    return number
