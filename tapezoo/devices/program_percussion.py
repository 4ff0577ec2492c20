"""Phrases of percussion: loops of kick, snare, hat and tom."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import signal as scipy_signal

_STEPS = 16


def percussion_phrase(seconds: float, sample_rate: int, random: np.random.Generator) -> NDArray[np.float64]:
    """A loop on a grid of sixteenths, with accents; sometimes one drum alone."""
    samples = round(seconds * sample_rate)
    audio = np.zeros(samples)
    step_s = 60.0 / random.uniform(80.0, 140.0) / 4.0
    drums = (_kick, _snare, _hat, _tom)
    gains = random.uniform(0.4, 1.0, len(drums)) * np.array([1.0, 0.8, 0.35, 0.7])
    chances = [_pattern((0, 8), 0.15, random), _pattern((4, 12), 0.1, random)]
    chances += [_pattern(tuple(range(0, _STEPS, 2)), 0.2, random), _pattern((), 0.12, random)]
    solo = int(random.integers(len(drums))) if random.random() < 0.25 else None
    for step in range(int(seconds / step_s) + 1):
        start = round(step * step_s * sample_rate)
        for index, drum in enumerate(drums):
            played = step % 4 == 0 if solo == index else solo is None and chances[index][step % _STEPS]
            if played and start < samples:
                hit = drum(sample_rate, random)[: samples - start]
                audio[start : start + hit.size] += gains[index] * random.uniform(0.5, 1.0) * hit
    # a drum bus is compressed; otherwise the peaks would leave everything else 20 dB lower
    return np.tanh(2.0 * audio / max(float(np.abs(audio).max()), 1e-9))


def _pattern(beats: tuple[int, ...], extra: float, random: np.random.Generator) -> NDArray[np.bool_]:
    pattern = random.random(_STEPS) < extra
    pattern[list(beats)] = True
    return pattern


def _time(seconds: float, sample_rate: int) -> NDArray[np.float64]:
    return np.arange(round(seconds * sample_rate)) / sample_rate


def _kick(sample_rate: int, random: np.random.Generator) -> NDArray[np.float64]:
    """A sine that falls from about 200 Hz to about 50 Hz, with a click at the start."""
    time = _time(0.35, sample_rate)
    end_hz, start_hz, fall_s = random.uniform(42, 62), random.uniform(140, 260), random.uniform(0.02, 0.05)
    phase = end_hz * time + (start_hz - end_hz) * fall_s * (1.0 - np.exp(-time / fall_s))
    click = 0.3 * random.standard_normal(time.size) * np.exp(-time / 0.002)
    return np.asarray(np.sin(2.0 * np.pi * phase) * np.exp(-time / random.uniform(0.08, 0.2)) + click)


def _snare(sample_rate: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Two shell modes and the snares' noise."""
    time = _time(0.3, sample_rate)
    mode_hz = random.uniform(160, 220)
    shell = np.sin(2.0 * np.pi * mode_hz * time) + 0.6 * np.sin(2.0 * np.pi * 1.6 * mode_hz * time)
    wires = scipy_signal.sosfilt(
        scipy_signal.butter(2, 900.0, "highpass", fs=sample_rate, output="sos"),
        random.standard_normal(time.size),
    )
    return np.asarray(
        0.5 * shell * np.exp(-time / 0.05) + 0.5 * wires * np.exp(-time / random.uniform(0.05, 0.1))
    )


def _hat(sample_rate: int, random: np.random.Generator) -> NDArray[np.float64]:
    """High-passed noise, short when closed, long when open."""
    time = _time(0.25, sample_rate)
    noise = scipy_signal.sosfilt(
        scipy_signal.butter(2, min(6500.0, 0.3 * sample_rate), "highpass", fs=sample_rate, output="sos"),
        random.standard_normal(time.size),
    )
    return np.asarray(noise * np.exp(-time / random.choice([0.015, 0.03, 0.08])))


def _tom(sample_rate: int, random: np.random.Generator) -> NDArray[np.float64]:
    """A falling sine with a pitch between kick and snare."""
    time = _time(0.4, sample_rate)
    end_hz = random.uniform(80, 200)
    phase = end_hz * (time + 0.3 * 0.05 * (1.0 - np.exp(-time / 0.05)))
    return np.asarray(np.sin(2.0 * np.pi * phase) * np.exp(-time / 0.12))
