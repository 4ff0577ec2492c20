"""Spectra of signals: mean power, levels of harmonics, and spectrograms on even steps of frequency or pitch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal as scipy_signal
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import hann

Signal = NDArray[np.floating]  # (samples,), full scale is +-1
Levels = NDArray[np.float64]

POWER_WINDOW_S, POWER_WINDOW_BETA = (
    0.1,
    14.0,
)  # Kaiser: sidelobes under -100 dB, main lobe +-4.6 bins of 10 Hz
WINDOW_SAMPLES, PITCH_WINDOW_SAMPLES = 2048, 4096  # the longer one tells bass notes apart
MOST_FRAMES = 1600  # more frames than a picture has pixels do not show, and cost seconds to draw
LOWEST_HZ, PITCH_ROWS = 40.0, 360
MOST_HARMONICS = 40
LEAST = 1e-10  # magnitude: silence is shown as -200 dB


@dataclass(frozen=True)
class Spectrogram:
    """Levels over time and frequency.

    Args:
        level_db: (rows, frames), dB; a full-scale sine has a peak of 0 dB.
        start_s: Where the first frame begins, s.
        end_s: Where the last one ends, s.
        low_hz: Lower edge of the first row, Hz.
        high_hz: Upper edge of the last row, Hz.
    """

    level_db: Levels
    start_s: float
    end_s: float
    low_hz: float
    high_hz: float


def measure_spectrogram(
    signal: Signal,
    sample_rate: int,
    *,
    window_samples: int = WINDOW_SAMPLES,
    most_frames: int = MOST_FRAMES,
    rows: int | None = None,
) -> Spectrogram:
    """A spectrogram from 0 Hz to half the sample rate, in even steps of frequency.

    Args:
        signal: (samples,)
        sample_rate: Hz.
        window_samples: Of a Hann window, even.
        most_frames: A long signal has about so many.
        rows: Each holds the loudest of its bins; a divisor of half the window. None: one row per bin.
    """
    hop = max(window_samples // 4, len(signal) // most_frames)
    magnitude = _magnitude(signal, sample_rate, window_samples, hop)
    if rows is not None:
        magnitude = magnitude[: window_samples // 2].reshape(rows, -1, magnitude.shape[1]).max(axis=1)
    return Spectrogram(_db(magnitude), 0.0, len(signal) / sample_rate, 0.0, sample_rate / 2)


def measure_pitch_spectrogram(signal: Signal, sample_rate: int) -> Spectrogram:
    """A spectrogram from 40 Hz to half the sample rate, in 360 even steps of pitch.

    Only frames that lie within the signal are kept, at least one.
    """
    hop = max(PITCH_WINDOW_SAMPLES // 8, len(signal) // MOST_FRAMES)
    samples = max(len(signal), PITCH_WINDOW_SAMPLES)
    # frame p lies around sample p * hop
    first = -(-PITCH_WINDOW_SAMPLES // 2 // hop)
    last = max(first, (samples - PITCH_WINDOW_SAMPLES // 2) // hop)
    magnitude = _magnitude(signal, sample_rate, PITCH_WINDOW_SAMPLES, hop, (first, last + 1))
    edges_hz = np.geomspace(LOWEST_HZ, sample_rate / 2, PITCH_ROWS + 1)
    bin_hz = sample_rate / PITCH_WINDOW_SAMPLES
    level = np.empty((PITCH_ROWS, magnitude.shape[1]))
    for row in range(PITCH_ROWS):
        low, high = edges_hz[row] / bin_hz, edges_hz[row + 1] / bin_hz
        lowest, highest = int(np.ceil(low)), min(int(np.floor(high)), len(magnitude) - 1)
        if highest > lowest:  # several bins in one row: the loudest is seen
            level[row] = magnitude[lowest : highest + 1].max(axis=0)
        else:
            middle = min(0.5 * (low + high), len(magnitude) - 1.0)
            below = min(int(middle), len(magnitude) - 2)
            level[row] = magnitude[below] + (middle - below) * (magnitude[below + 1] - magnitude[below])
    start_s, end_s = (first - 0.5) * hop / sample_rate, (last + 0.5) * hop / sample_rate
    return Spectrogram(_db(level), start_s, end_s, LOWEST_HZ, sample_rate / 2)


def power_spectrum(signal: NDArray[np.float64], sample_rate: int) -> NDArray[np.float64]:
    """Mean power in windows of 0.1 s, (bins,) from 0 Hz to half the sample rate; the sum is the power."""
    length = 2 * round(POWER_WINDOW_S * sample_rate / 2)
    window = scipy_signal.get_window(("kaiser", POWER_WINDOW_BETA), length)
    _, spectrum = scipy_signal.welch(signal, sample_rate, window, detrend=False, scaling="density")
    return np.asarray(spectrum * sample_rate / length, dtype=np.float64)


def harmonic_levels_db(signal: NDArray[np.float64], frequency_hz: float, sample_rate: int) -> Levels:
    """Peaks of the first harmonics, dB re full scale, by the inner product with each over whole periods.

    Args:
        signal: (samples,), at least one period; its end is measured.
        frequency_hz: The fundamental, Hz.
        sample_rate: Hz.

    Shape:
        returns: (harmonics,), at most 40, under half the sample rate.
    """
    periods = int(len(signal) * frequency_hz / sample_rate)
    samples = round(periods * sample_rate / frequency_hz)
    count = min(MOST_HARMONICS, int(0.5 * sample_rate / frequency_hz - 1e-9))
    angle = 2 * np.pi * frequency_hz / sample_rate * np.arange(samples)
    window = hann(samples, sym=False)
    end = np.nan_to_num(signal[len(signal) - samples :], posinf=0.0, neginf=0.0) * window
    lines = np.array([np.exp(-1j * number * angle) @ end for number in range(1, count + 1)])
    return _db(2 * np.abs(lines) / window.sum())


def _magnitude(
    signal: Signal,
    sample_rate: int,
    window_samples: int,
    hop_samples: int,
    frames: tuple[int, int] | None = None,
) -> Levels:
    """(bins, frames) in Hann windows; a full-scale sine has a peak of 1."""
    if len(signal) < window_samples:
        signal = np.pad(signal, (0, window_samples - len(signal)))
    window = hann(window_samples, sym=False)
    transform = ShortTimeFFT(window, hop_samples, fs=sample_rate, scale_to="magnitude")
    first, end = frames or (None, None)
    lines = transform.stft(np.asarray(signal, dtype=np.float64), p0=first, p1=end)
    magnitude: Levels = 2 * np.abs(lines)  # one side holds half of a sine
    return magnitude


def _db(magnitude: Levels) -> Levels:
    level: Levels = 20 * np.log10(np.maximum(magnitude, LEAST))
    return level
