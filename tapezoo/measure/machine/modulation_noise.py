"""Modulation noise: noise that is there only while a signal is, and grows with it, as the grain of a tape makes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapezoo.measure.machine.distortion import SILENT_DB
from tapezoo.measure.machine.machine import Machine, Real

TONE_HZ, TONE_S, SETTLE_S = 1000.0, 4.0, 0.5
LEVELS_DB = (-40.0, -20.0, -6.0)
LOWEST_HZ, HIGHEST_HZ = 5.0, 200.0  # of the modulation: slower is a gain that drifts
EDGE_S = 0.1  # at either end, where the band's filter rings
LEAST_SHARE = 0.1  # of what modulates the tone: less is within the error of what the hiss alone does
LEAST_DB = -120.0  # re the tone: rounding


@dataclass(frozen=True)
class ModulationNoise:
    """How much the level of a tone wavers, beyond what noise that is always there makes of it.

    Args:
        level_db: (levels,), peaks of the input, dB re full scale.
        depth_db: (levels,), RMS of the relative deviation of the tone's amplitude from 5 to 200 Hz, dB; -inf: none
            stands out of the noise in silence.
    """

    level_db: Real
    depth_db: Real


def measure_modulation_noise(machine: Machine) -> ModulationNoise:
    """Plays 1 kHz at three levels, and silence, for four seconds each.

    Args:
        machine: To measure.
    """
    rate = machine.sample_rate
    level_db = np.asarray([-np.inf, *LEVELS_DB])
    peaks = 10 ** (level_db / 20)
    samples = round((SETTLE_S + TONE_S) * rate)
    turn = 2 * np.pi * TONE_HZ / rate
    played = machine.play_on(lambda time: peaks[:, None] * np.sin(turn * time), samples)
    noise, *tones = (_beside_tone(row[round(SETTLE_S * rate) :], rate) for row in played)
    hiss = float(np.mean(np.square(np.abs(_wavering(noise, rate))))) / 2
    return ModulationNoise(level_db[1:], np.asarray([_depth_db(tone, hiss, rate) for tone in tones]))


def _beside_tone(signal: Real, rate: int) -> NDArray[np.complex128]:
    """The signal around 1 kHz as amplitude and phase of the tone, (samples,)."""
    spectrum = np.fft.fft(signal)
    hertz = np.fft.fftfreq(len(signal), 1 / rate)
    spectrum[np.abs(hertz - TONE_HZ) > HIGHEST_HZ] = 0
    around = 2 * np.fft.ifft(spectrum) * np.exp(-2j * np.pi * TONE_HZ / rate * np.arange(len(signal)))
    edge = round(EDGE_S * rate)
    cut: NDArray[np.complex128] = around[edge:-edge]
    return cut


def _wavering(signal: NDArray[np.complex128], rate: int) -> NDArray[np.complex128]:
    """What of it is faster than 5 Hz."""
    spectrum = np.fft.fft(signal)
    spectrum[np.abs(np.fft.fftfreq(len(signal), 1 / rate)) < LOWEST_HZ] = 0
    fast: NDArray[np.complex128] = np.fft.ifft(spectrum).astype(np.complex128)
    return fast


def _depth_db(tone: NDArray[np.complex128], hiss: float, rate: int) -> float:
    amplitude = np.abs(tone)
    mean = float(amplitude.mean())
    if mean <= 10 ** (SILENT_DB / 20):
        return float("nan")
    power = float(np.mean(np.square(np.abs(_wavering((amplitude / mean).astype(np.complex128), rate)))))
    own = power - hiss / mean**2  # the half of the noise that is in phase with the tone
    if own < max(LEAST_SHARE * power, 10 ** (LEAST_DB / 10)):
        return -np.inf
    return 10 * float(np.log10(own))
