"""Phrases of speech-like sound: glottal pulses through formants, fricatives and short stops.

Source and filter after Klatt, "Software for a cascade/parallel formant synthesizer", J. Acoust. Soc. Am. 67,
1980; the pulse is Rosenberg's (1971), the formants are Peterson and Barney's means (1952).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import signal as scipy_signal

_VOWELS_HZ = (
    (730, 1090, 2440),
    (270, 2290, 3010),
    (300, 870, 2240),
    (530, 1840, 2480),
    (570, 840, 2410),
    (490, 1350, 1690),
)
_BANDWIDTHS_HZ = (60, 90, 130, 180)
_FOURTH_FORMANT_HZ = 3500


def speech_phrase(seconds: float, sample_rate: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Syllables of consonant and vowel on a falling melody, with stops between some."""
    samples = round(seconds * sample_rate)
    audio = np.zeros(samples)
    pitch_hz = random.uniform(85.0, 230.0)
    tract = random.uniform(0.95, 1.2)  # short tracts have high formants
    position = 0
    while position < samples:
        fall = 1.0 - 0.25 * position / samples
        consonant = _consonant(sample_rate, random) * random.uniform(0.1, 0.5)
        vowel = _vowel(pitch_hz * fall * random.uniform(0.93, 1.1), tract, sample_rate, random)
        syllable = np.concatenate([consonant, vowel * random.uniform(0.5, 1.0)])
        audio[position : position + syllable.size] += syllable[: samples - position]
        stop_s = random.choice([0.0, 0.0, random.uniform(0.02, 0.08)])
        position += syllable.size + round(stop_s * sample_rate)
    return audio


def _consonant(sample_rate: int, random: np.random.Generator) -> NDArray[np.float64]:
    """A fricative, a plosive burst or nothing."""
    seconds = random.choice([0.0, random.uniform(0.01, 0.02), random.uniform(0.05, 0.11)])
    samples = round(seconds * sample_rate)
    if samples == 0:
        return np.zeros(0)
    centre_hz = min(random.uniform(1500.0, 7000.0), 0.3 * sample_rate)
    band = scipy_signal.butter(
        1, [0.7 * centre_hz, 1.4 * centre_hz], "bandpass", fs=sample_rate, output="sos"
    )
    noise = scipy_signal.sosfilt(band, random.standard_normal(samples)) * np.hanning(samples)
    return np.asarray(noise / max(float(np.abs(noise).max()), 1e-9))


def _vowel(
    pitch_hz: float, tract: float, sample_rate: int, random: np.random.Generator
) -> NDArray[np.float64]:
    """Pulses with vibrato, jitter and breath through four resonances that stay fixed for one syllable."""
    samples = round(random.uniform(0.08, 0.24) * sample_rate)
    time = np.arange(samples) / sample_rate
    glide = 1.0 + random.uniform(-0.15, 0.15) * time / 0.2 + 0.01 * np.sin(2.0 * np.pi * 5.5 * time)
    phase = np.cumsum(pitch_hz * glide) / sample_rate % 1.0
    # Rosenberg pulse: opens over 40 % of the period, closes over 16 %
    opening = 0.5 - 0.5 * np.cos(np.pi * phase / 0.4)
    closing = np.cos(0.5 * np.pi * (phase - 0.4) / 0.16)
    flow = np.where(phase < 0.4, opening, np.where(phase < 0.56, closing, 0.0))
    sound = np.diff(flow, prepend=0.0) + 0.002 * random.standard_normal(samples)
    formants_hz = [formant * tract for formant in (*random.choice(_VOWELS_HZ), _FOURTH_FORMANT_HZ)]
    for formant_hz, bandwidth_hz in zip(formants_hz, _BANDWIDTHS_HZ, strict=True):
        if formant_hz < 0.45 * sample_rate:
            radius = math.exp(-math.pi * bandwidth_hz / sample_rate)
            poles = [1.0, -2.0 * radius * math.cos(2.0 * math.pi * formant_hz / sample_rate), radius * radius]
            sound = scipy_signal.lfilter([sum(poles)], poles, sound)  # gain 1 at 0 Hz, as in Klatt's cascade
    fade = np.minimum(1.0, np.minimum(time, time[::-1]) / 0.02)
    return np.asarray(sound * fade / max(float(np.abs(sound).max()), 1e-9))
