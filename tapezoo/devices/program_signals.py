"""Phrases of test signals: sweeps, noise and tones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import signal as scipy_signal


def sweep_phrase(seconds: float, sample_rate: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Logarithmic sweep over the whole band or a part of it, up or down."""
    low_hz = 25.0 * 8.0 ** random.random()
    high_hz = 0.42 * sample_rate / 4.0 ** random.random()
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    sweep = scipy_signal.chirp(time, low_hz, seconds, high_hz, method="logarithmic", phi=-90)
    return np.asarray(sweep[:: random.choice([-1, 1])], dtype=np.float64)


def noise_phrase(seconds: float, sample_rate: int, random: np.random.Generator) -> NDArray[np.float64]:
    """White, pink or octave-band noise, in two bursts of different level."""
    samples = round(seconds * sample_rate)
    noise = random.standard_normal(samples)
    colour = random.choice(["white", "pink", "pink", "band"])
    if colour == "pink":
        noise = _pink(noise, sample_rate)
    elif colour == "band":
        centre_hz = 120.0 * 40.0 ** random.random()
        edges_hz = [centre_hz / 1.41, min(centre_hz * 1.41, 0.45 * sample_rate)]
        noise = scipy_signal.sosfilt(
            scipy_signal.butter(2, edges_hz, "bandpass", fs=sample_rate, output="sos"), noise
        )
    step = np.where(np.arange(samples) < random.uniform(0.3, 0.7) * samples, 1.0, random.uniform(0.1, 1.0))
    return np.asarray(noise * step, dtype=np.float64)


def tone_phrase(seconds: float, sample_rate: int, random: np.random.Generator) -> NDArray[np.float64]:
    """One to four steady sines with random phases, from 40 Hz to 10 kHz."""
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    highest_hz = min(10_000.0, 0.4 * sample_rate)
    frequencies_hz = 40.0 * (highest_hz / 40.0) ** random.random(random.integers(1, 5))
    phases = random.uniform(0.0, 2.0 * np.pi, frequencies_hz.size)
    # in real recordings treble is rarer and weaker than bass
    gains = random.uniform(0.3, 1.0, frequencies_hz.size) * (1.0 + frequencies_hz / 1000.0) ** -0.5
    return np.asarray(gains @ np.sin(2.0 * np.pi * np.outer(frequencies_hz, time) + phases[:, None]))


def _pink(white: NDArray[np.float64], sample_rate: int) -> NDArray[np.float64]:
    """Noise with -3 dB per octave above 30 Hz and nothing below, shaped in the spectrum."""
    frequency_hz = np.fft.rfftfreq(white.size, 1.0 / sample_rate)
    spectrum = np.fft.rfft(white) * (frequency_hz > 30.0) / np.sqrt(np.maximum(frequency_hz, 30.0))
    return np.fft.irfft(spectrum, white.size)
