"""The sounds of an excitation's segments: (samples,) each, faded at both ends, their peak at a given level."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tapezoo.devices.program import program_material

Real = NDArray[np.float64]

FADE_S = 0.005
LOWEST_NOISE_HZ = 20.0
WHOLE_PROGRAMME_S = 10.0  # below it `program_material` has too little room for all its kinds
FEW_KINDS_S, FEW_KINDS = 4.0, ("music", "percussion", "speech")  # the kinds kept in a short slot


def sweep(samples: int, sample_rate: int, low_hz: float, high_hz: float, level_db: float) -> Real:
    """A sine whose frequency rises exponentially.

    Farina, "Simultaneous measurement of impulse response and distortion with a swept-sine technique", AES 108th
    Convention, 2000: harmonics come out of its deconvolution as echoes before the linear response.

    Args:
        samples: Length.
        sample_rate: In Hz.
        low_hz: Where it begins.
        high_hz: Where it ends.
        level_db: Peak in dB of full scale.
    """
    seconds, growth = samples / sample_rate, np.log(high_hz / low_hz)
    time_s = np.arange(samples) / sample_rate
    phase = 2 * np.pi * low_hz * seconds / growth * (np.exp(time_s / seconds * growth) - 1)
    return fade(np.sin(phase), sample_rate) * _amplitude(level_db)


def tones(samples: int, sample_rate: int, frequencies_hz: Sequence[float], level_db: float) -> Real:
    """Sines of one amplitude that begin together; their phases keep the peak low.

    Phases are Newman's: Boyd, "Multitone signals with low crest factor", IEEE Trans. Circuits and Systems 33(10),
    1986. A single tone begins at zero.

    Args:
        samples: Length.
        sample_rate: In Hz.
        frequencies_hz: One or more.
        level_db: Peak of the sum in dB of full scale.
    """
    time_s = np.arange(samples) / sample_rate
    count = len(frequencies_hz)
    total = np.zeros(samples)
    for number, frequency_hz in enumerate(frequencies_hz):
        total += np.sin(2 * np.pi * frequency_hz * time_s + np.pi * number**2 / count)
    faded = fade(total, sample_rate)
    # a short piece of a sine may not reach its crest
    peak = 1.0 if count == 1 else float(np.abs(faded).max())
    return faded * (_amplitude(level_db) / peak)


def noise(samples: int, sample_rate: int, colour: str, level_db: float, random: np.random.Generator) -> Real:
    """Gaussian noise above 20 Hz, "white" or "pink" (-3 dB per octave).

    Args:
        samples: Length.
        sample_rate: In Hz.
        colour: "white" or "pink".
        level_db: Peak in dB of full scale.
        random: What it is drawn from.
    """
    frequency_hz = np.fft.rfftfreq(samples, 1 / sample_rate)
    spectrum = np.fft.rfft(random.standard_normal(samples)) * (frequency_hz >= LOWEST_NOISE_HZ)
    if colour == "pink":
        spectrum /= np.sqrt(np.maximum(frequency_hz, LOWEST_NOISE_HZ))
    drawn = fade(np.fft.irfft(spectrum, samples), sample_rate)
    return np.asarray(drawn * (_amplitude(level_db) / np.abs(drawn).max()))


def made_up(samples: int, sample_rate: int, level_db: float, seed: int) -> Real:
    """Synthetic music, percussion, speech and more, with levels that span 40 dB.

    Args:
        samples: Length.
        sample_rate: In Hz.
        level_db: Peak of the loudest that it may hold, in dB of full scale.
        seed: Different seeds play different music.
    """
    seconds = samples / sample_rate
    excerpts = program_material(max(seconds, WHOLE_PROGRAMME_S), sample_rate, seed)
    if seconds < FEW_KINDS_S:
        excerpts = [one for one in excerpts if one.kind in FEW_KINDS]
    total, place = sum(len(one.audio) for one in excerpts), 0
    sound = np.zeros(samples)
    for one in excerpts:
        length = min(samples * len(one.audio) // total, samples - place)
        sound[place : place + length] = fade(one.audio[:length].astype(np.float64), sample_rate)
        place += length
    return sound * _amplitude(level_db)


def fade(sound: Real, sample_rate: int) -> Real:
    """`sound` faded in and out over 5 ms."""
    length = min(round(FADE_S * sample_rate), len(sound) // 2)
    ramp = 0.5 - 0.5 * np.cos(np.pi * np.arange(length) / max(length, 1))
    faded = sound.copy()
    faded[:length] *= ramp
    faded[len(sound) - length :] *= ramp[::-1]
    return faded


def _amplitude(level_db: float) -> float:
    return float(10 ** (level_db / 20))
