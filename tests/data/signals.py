"""Made-up recordings that imitate what real ones do to a program."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy import signal
from scipy.fft import next_fast_len

RATE = 44100
Signal = NDArray[np.float64]


def noise_bursts(seconds: float, seed: int = 0) -> Signal:
    """Broad-band programme with rests: what alignment finds easy."""
    rng = np.random.default_rng(seed)
    samples = round(seconds * RATE)
    gate = signal.lfilter([0.002], [1, -0.998], (np.arange(samples) // 4000 % 3 > 0).astype(float))
    return 0.12 * rng.standard_normal(samples) * gate


def plucked_notes(seconds: float, seed: int = 0) -> Signal:
    """Decaying harmonic tones with short attacks, at random times: tonal, with transients."""
    rng = np.random.default_rng(seed)
    out = np.zeros(round(seconds * RATE))
    start = 0
    while start < len(out) - RATE // 2:
        time = np.arange(RATE // 2) / RATE
        pitch_hz = 82.4 * 2 ** (rng.integers(0, 24) / 12)
        note = sum(np.sin(2 * np.pi * pitch_hz * k * time) / k for k in range(1, 12)) * np.exp(-6 * time)
        note[:60] += rng.standard_normal(60) * np.linspace(1, 0, 60)
        out[start : start + len(note)] += 0.2 * rng.uniform(0.4, 1) * note
        start += int(rng.integers(RATE // 8, RATE // 3))
    return out


def delayed(audio: Signal, delay_samples: float) -> Signal:
    """`audio` moved by any delay of either sign, same length, zeros moved in; the fraction by FFT phase."""
    room = int(abs(delay_samples)) + 256
    # of a prime length it takes a hundred times as long
    length = next_fast_len(len(audio) + 2 * room, real=True)
    padded = np.pad(audio, (room, length - room - len(audio)))
    spectrum = np.fft.rfft(padded) * np.exp(-2j * np.pi * np.fft.rfftfreq(len(padded)) * delay_samples)
    return np.fft.irfft(spectrum, len(padded))[room : room + len(audio)]


def amplifier(audio: Signal) -> Signal:
    """Asymmetric saturation after a high-pass, like a guitar amplifier without its speaker."""
    high_passed = signal.lfilter(*signal.butter(1, 60, "high", fs=RATE), audio)
    return np.asarray(0.5 * np.tanh(8 * high_passed + 0.2) - 0.5 * np.tanh(0.2))


def write(path: Path, audio: Signal, rate: int = RATE, subtype: str = "FLOAT") -> Path:
    """Writes (samples,) or (samples, channels)."""
    soundfile.write(path, audio, rate, subtype=subtype)
    return path
