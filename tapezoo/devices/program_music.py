"""Phrases of music-like sound: plucked strings, sustained chords, bass lines and mixes of them.

Plucked strings are Karplus and Strong's, "Digital synthesis of plucked-string and drum timbres", Computer
Music Journal 7, 1983, tuned by the weight of the two taps in their averaging filter (Jaffe and Smith, same
issue).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tapezoo.compiled import compiled

_SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 3, 5, 7, 10))
_CHORDS = ((0, 4, 7), (0, 3, 7), (0, 4, 7, 11), (0, 3, 7, 10), (0, 5, 7), (0, 4, 7, 14))


def music_phrase(seconds: float, sample_rate: int, random: np.random.Generator) -> NDArray[np.float64]:
    """A random selection of strummed chords, sustained chords, bass and melody, in one key and tempo."""
    samples = round(seconds * sample_rate)
    root = int(random.integers(36, 48))  # MIDI note
    beat_s = 60.0 / random.uniform(70.0, 150.0)
    parts = (_strum, _pad, _bass, _melody)
    count = int(random.choice([1, 2, 3, 4], p=[0.3, 0.3, 0.25, 0.15]))
    audio = np.zeros(samples)
    for index in random.choice(len(parts), size=count, replace=False):
        part = parts[int(index)](samples, sample_rate, root, beat_s, random)
        audio += random.uniform(0.4, 1.0) * part / max(float(np.abs(part).max()), 1e-9)
    return audio


def _frequency_hz(note: float) -> float:
    return float(440.0 * 2.0 ** ((note - 69.0) / 12.0))


def _strum(
    samples: int, sample_rate: int, root: int, beat_s: float, random: np.random.Generator
) -> NDArray[np.float64]:
    """A plucked chord every one or two beats, its strings a few milliseconds apart."""
    audio = np.zeros(samples)
    brightness, every = random.uniform(0.3, 1.0), int(random.choice([1, 2]))
    for start_s in np.arange(0.0, samples / sample_rate, every * beat_s):
        notes = _CHORDS[int(random.integers(len(_CHORDS)))]
        step = int(random.choice([0, 5, 7, -3]))
        for string, offset in enumerate(notes):
            start = round((start_s + 0.012 * string) * sample_rate)
            if start < samples:
                pitch_hz = _frequency_hz(root + 12 + step + offset)
                audio[start:] += _pluck(samples - start, sample_rate, pitch_hz, brightness, random)
    return audio


def _melody(
    samples: int, sample_rate: int, root: int, beat_s: float, random: np.random.Generator
) -> NDArray[np.float64]:
    """Single plucked or blown notes in a scale, one to three octaves above the root."""
    audio = np.zeros(samples)
    scale = _SCALES[int(random.integers(len(_SCALES)))]
    octave, blown = 12 * int(random.integers(1, 4)), random.random() < 0.5
    position = 0
    while position < samples:
        length = round(beat_s * float(random.choice([0.25, 0.5, 0.5, 1.0])) * sample_rate)
        pitch_hz = _frequency_hz(root + octave + scale[int(random.integers(len(scale)))])
        length_left = min(length, samples - position)
        note = (
            _blown(length_left, sample_rate, pitch_hz, 1.5, random)
            if blown
            else _pluck(length_left, sample_rate, pitch_hz, 0.8, random)
        )
        audio[position : position + length_left] += note * random.uniform(0.4, 1.0)
        position += length
    return audio


def _bass(
    samples: int, sample_rate: int, root: int, beat_s: float, random: np.random.Generator
) -> NDArray[np.float64]:
    """Low notes on the half beats: plucked, or a sine with a few harmonics."""
    audio = np.zeros(samples)
    plucked = random.random() < 0.5
    for start_s in np.arange(0.0, samples / sample_rate, 0.5 * beat_s):
        start = round(start_s * sample_rate)
        length = min(round(0.48 * beat_s * sample_rate), samples - start)
        if length < 2 or random.random() < 0.3:
            continue
        pitch_hz = _frequency_hz(root - 12 + int(random.choice([0, 0, 0, 7, 5, 12, 3])))
        note = (
            _pluck(length, sample_rate, pitch_hz, 0.5, random)
            if plucked
            else _blown(length, sample_rate, pitch_hz, 2.5, random)
        )
        audio[start : start + length] += note
    return audio


def _pad(
    samples: int, sample_rate: int, root: int, beat_s: float, random: np.random.Generator
) -> NDArray[np.float64]:
    """A sustained chord, changing every four beats."""
    audio = np.zeros(samples)
    length = round(4.0 * beat_s * sample_rate)
    slope = random.uniform(0.9, 1.8)
    for start in range(0, samples, length):
        notes = _CHORDS[int(random.integers(len(_CHORDS)))]
        size = min(length, samples - start)
        for offset in notes:
            pitch_hz = _frequency_hz(root + 12 + offset)
            audio[start : start + size] += _blown(size, sample_rate, pitch_hz, slope, random)
    return audio


def _blown(
    samples: int, sample_rate: int, pitch_hz: float, slope: float, random: np.random.Generator
) -> NDArray[np.float64]:
    """Additive tone with vibrato: harmonic h has the amplitude h^-slope, higher ones decay faster."""
    time = np.arange(samples) / sample_rate
    vibrato = 0.004 * np.sin(2.0 * np.pi * (5.0 * time + random.random())) / (2.0 * np.pi * 5.0)
    phase = 2.0 * np.pi * pitch_hz * (time + vibrato)
    fundamental = np.exp(1j * (phase + random.uniform(0.0, 2.0 * np.pi)))
    tone, partial = np.zeros(samples), np.ones(samples, dtype=np.complex128)
    decay = np.exp(-time * random.uniform(0.05, 0.6))
    damping = np.ones(samples)
    for harmonic in range(1, min(24, int(0.42 * sample_rate / pitch_hz)) + 1):
        partial *= fundamental
        damping *= decay
        tone += harmonic**-slope * damping * partial.imag
    attack_s, release_s = random.uniform(0.005, 0.06), 0.03
    envelope = np.minimum(1.0, np.minimum(time / attack_s, time[::-1] / release_s)) if samples else time
    return np.asarray(tone * envelope, dtype=np.float64)


def _pluck(
    samples: int, sample_rate: int, pitch_hz: float, brightness: float, random: np.random.Generator
) -> NDArray[np.float64]:
    """Karplus-Strong string; `brightness` 0..1 is the share of the pick's noise that stays unsmoothed."""
    # the averaging filter delays by its second tap's weight; with a weight near 0 or 1 it would not damp
    period = sample_rate / pitch_hz
    whole = max(int(period - 0.2), 2)
    weight = min(max(period - whole, 0.05), 0.95)
    pick = random.uniform(-1.0, 1.0, whole)
    pick = brightness * pick + (1.0 - brightness) * (np.roll(pick, 1) + pick + np.roll(pick, -1)) / 3.0
    pick -= pick.mean()
    # 20 dB per second at any pitch; the averaging filter adds damping to high strings and partials
    loss = math.exp(-2.3 / pitch_hz)
    return _string(pick, weight, loss, samples)


@compiled
def _string(pick: NDArray[np.float64], weight: float, loss: float, samples: int) -> NDArray[np.float64]:
    output = np.zeros(samples)
    period = pick.size
    for n in range(samples):
        if n < period:
            output[n] = pick[n]
        else:
            older = output[n - period - 1] if n > period else 0.0
            output[n] = loss * ((1.0 - weight) * output[n - period] + weight * older)
    return output
