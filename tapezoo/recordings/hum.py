"""Hum: steady lines of the mains and its harmonics, measured in the part of wet that dry does not explain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tapezoo.data.audio import Audio
from tapezoo.data.frames import cut_frames, runs_of
from tapezoo.data.least_squares import LinearFilter
from tapezoo.data.noise import SILENT_DRY, TAIL_S
from tapezoo.recordings.linear import Real, predictions

MAINS_HZ = (50, 60)
HARMONICS = 10
WINDOW_S = 1.0
LEAST_WINDOW_S = 0.4  # shorter windows do not separate 50 and 60 Hz
MOST_WINDOWS = 120
ABOVE_NOISE = 10.0  # a line has ten times the power of the noise beside it
# Played so loud that full scale is 120 dB SPL, where sound hurts, this is 0 dB SPL. Lines up to 500 Hz are heard from
# 4 dB SPL on at best (ISO 226:2003, threshold of hearing).
LEAST_DBFS = -120.0
STEADY_QUANTILE = 0.25  # notes come and go, hum does not


@dataclass(frozen=True)
class Hum:
    """What the mains left in wet.

    Args:
        mains_hz: 50 or 60.
        power: Mean square of all lines that stand out, full scale is 1.
        lines_hz: Where they are.
        over_noise_db: The strongest against the noise within 10 Hz of it.
    """

    mains_hz: int
    power: float
    lines_hz: tuple[int, ...]
    over_noise_db: float


def find_hum(dry: Audio, wet: Audio, filter: LinearFilter, sample_rate: int) -> Hum | None:
    """The mains in wet: where dry is silent, else in what a linear filter of dry does not explain.

    Args:
        dry: (samples,), aligned.
        wet: (samples,).
        filter: The one that makes wet out of dry best.
        sample_rate: In Hz.

    Returns:
        The stronger of 50 and 60 Hz with two lines or more; None where there is none that anybody could hear.
    """
    silent = _silent_parts(dry, wet, sample_rate)
    size = round(WINDOW_S * sample_rate)
    windows = _windows(silent, size)
    if not windows:
        size = min(size, len(wet))
        residual = (found - predicted for predicted, found in predictions(dry, wet, filter))
        windows = _windows(residual, size)
    if not windows or size < LEAST_WINDOW_S * sample_rate:
        return None
    found = [hum for mains_hz in MAINS_HZ if (hum := _lines(windows, mains_hz, size, sample_rate))]
    return max(found, key=lambda hum: hum.power, default=None)


def _silent_parts(dry: Audio, wet: Audio, sample_rate: int) -> Iterable[Real]:
    size = round(0.02 * sample_rate)
    tail = round(TAIL_S / 0.02)
    for start, stop in runs_of(cut_frames(dry, sample_rate).peak < SILENT_DRY):
        first = start + (tail if start else 0)
        if stop > first:
            yield wet[first * size : stop * size].astype(np.float64)


def _windows(parts: Iterable[Real], size: int) -> list[Real]:
    """Power spectra of whole windows; in each bin the mean square of a sine that is centred there."""
    taper = np.hanning(size)
    spectra: list[Real] = []
    left = np.zeros(0)
    for part in parts:
        signal = np.concatenate((left, part)) if len(left) else part
        for start in range(0, len(signal) - size + 1, size):
            window = signal[start : start + size]
            spectrum = np.fft.rfft((window - window.mean()) * taper)[: size // 16]
            spectra.append(2 * np.abs(spectrum / taper.sum()) ** 2)
        left = signal[len(signal) // size * size :]
    step = max(1, len(spectra) // MOST_WINDOWS)
    return spectra[::step]


def _lines(windows: list[Real], mains_hz: int, size: int, sample_rate: int) -> Hum | None:
    steady = np.quantile(np.stack(windows), STEADY_QUANTILE, axis=0)
    per_hz = size / sample_rate
    power, lines, strongest = 0.0, [], 0.0
    for number in range(1, HARMONICS + 1):
        middle = round(number * mains_hz * per_hz)
        if middle + round(10 * per_hz) >= len(steady):
            break
        near = steady[middle - 2 : middle + 3]
        beside = np.concatenate(
            (
                steady[middle - round(10 * per_hz) : middle - 3],
                steady[middle + 4 : middle + round(10 * per_hz)],
            )
        )
        if not len(beside):
            return None
        noise = float(np.median(beside)) + 1e-16
        ratio = float(near.max()) / noise
        if ratio > ABOVE_NOISE:
            power += float(near.max())
            lines.append(number * mains_hz)
            strongest = max(strongest, ratio)
    if len(lines) < 2 or power < 10 ** (LEAST_DBFS / 10):
        return None
    return Hum(mains_hz, power, tuple(lines), float(10 * np.log10(strongest)))
