"""Synthetic program material, to be played through the virtual devices.

Six kinds, each a series of phrases at levels spread over 40 dB with silences between them. A model thus
meets every level, register and transient, and a data set can be split between phrases.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal as scipy_signal

from tapezoo.devices.program_music import music_phrase
from tapezoo.devices.program_percussion import percussion_phrase
from tapezoo.devices.program_signals import noise_phrase, sweep_phrase, tone_phrase
from tapezoo.devices.program_speech import speech_phrase

Phrase = Callable[[float, int, np.random.Generator], NDArray[np.float64]]


@dataclass(frozen=True)
class _Kind:
    share: float  # of the total time
    shortest_s: float
    longest_s: float
    hot_db: float  # every other phrase peaks within this of full scale, the others lower
    swell: float  # probability that a phrase is a crescendo or decrescendo
    phrase: Phrase


# steady signals at full scale carry so much energy that a few would outweigh all the music in an ESR, so their levels
# are spread further, and most of them swell
_KINDS = {
    "music": _Kind(0.45, 1.2, 2.4, 12.0, 0.25, music_phrase),
    "percussion": _Kind(0.20, 1.0, 2.2, 12.0, 0.1, percussion_phrase),
    "speech": _Kind(0.15, 0.9, 2.0, 12.0, 0.25, speech_phrase),
    "noise": _Kind(0.08, 0.4, 0.9, 12.0, 0.25, noise_phrase),
    "sweep": _Kind(0.07, 0.7, 1.2, 24.0, 0.7, sweep_phrase),
    "tones": _Kind(0.05, 0.4, 0.9, 24.0, 0.5, tone_phrase),
}
KINDS = tuple(_KINDS)

LEVEL_RANGE_DB = 40.0
_SILENCE_S = (0.08, 0.3)
_SWELL_DB = 30.0
_FADE_S = 0.004
# band limit as a share of the sample rate: above it, a device's linear-phase resampler is not causal,
# so that no causal model could match it
_BAND = 0.42
_GOLDEN = 0.6180339887498949


@dataclass(frozen=True)
class Excerpt:
    """One piece of program material.

    Args:
        kind: One of `KINDS`.
        audio: (samples,), full scale is +-1.
    """

    kind: str
    audio: NDArray[np.float32]


def program_material(seconds: float, sample_rate: int, seed: int) -> list[Excerpt]:
    """One excerpt per kind, about `seconds` long in total; deterministic for a given seed.

    Args:
        seconds: Total length in s; below 10 the rarer kinds shrink to a single phrase.
        sample_rate: In Hz.
        seed: Each seed gives different material.
    """
    return [
        Excerpt(name, _excerpt(kind, seconds * kind.share, sample_rate, np.random.default_rng([seed, index])))
        for index, (name, kind) in enumerate(_KINDS.items())
    ]


def _excerpt(
    kind: _Kind, seconds: float, sample_rate: int, random: np.random.Generator
) -> NDArray[np.float32]:
    total = round(seconds * sample_rate)
    audio = np.zeros(total)
    band = scipy_signal.firwin(255, _BAND * sample_rate, fs=sample_rate, window=("kaiser", 8.0))
    position, number = round(0.02 * sample_rate), 0
    while total - position > 0.2 * sample_rate:
        length_s = min(
            float(random.uniform(kind.shortest_s, kind.longest_s)), (total - position) / sample_rate - 0.08
        )
        phrase = scipy_signal.oaconvolve(kind.phrase(length_s, sample_rate, random), band, mode="same")
        phrase = _shape(phrase, _level_db(number, kind.hot_db), kind.swell, sample_rate, random)
        phrase = phrase[: total - position]
        audio[position : position + phrase.size] = phrase
        position += phrase.size + round(float(random.uniform(*_SILENCE_S)) * sample_rate)
        number += 1
    return audio.astype(np.float32)


def _level_db(number: int, hot_db: float) -> float:
    """Peak level of a phrase: alternately hot and quiet, so that the end of an excerpt is never only quiet.

    The golden ratio spreads the levels of neighbouring phrases evenly; phrase 0 reaches full scale.
    """
    spread = number // 2 * _GOLDEN % 1.0
    return -hot_db * spread if number % 2 == 0 else -hot_db - (LEVEL_RANGE_DB - hot_db) * spread


def _shape(
    phrase: NDArray[np.float64], level_db: float, swell: float, sample_rate: int, random: np.random.Generator
) -> NDArray[np.float64]:
    """The phrase with fades at both ends, sometimes a crescendo or decrescendo, and its peak at `level_db`."""
    if random.random() < swell:
        swell_db = np.linspace(-_SWELL_DB, 0.0, phrase.size)
        phrase = phrase * 10.0 ** (swell_db[:: random.choice([-1, 1])] / 20.0)
    fade = min(round(_FADE_S * sample_rate), phrase.size // 2)
    ramp = 0.5 - 0.5 * np.cos(np.pi * np.arange(fade) / fade)
    phrase = phrase.copy()
    phrase[:fade] *= ramp
    phrase[phrase.size - fade :] *= ramp[::-1]
    gain = 10.0 ** (level_db / 20.0) / max(float(np.abs(phrase).max()), 1e-9)
    return np.asarray(gain * phrase, dtype=np.float64)
