"""Delays between two signals that are nearly alike, found and taken off, by fractions of a sample."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

NEAR_SAMPLES = 32  # that the phase of a machine may hide

Real = NDArray[np.float64]


def nearest_shift(output: Real, target: Real) -> float:
    """By how many samples the output has to be later for the smallest squared error, at most NEAR_SAMPLES.

    Shape:
        output, target: (samples,).
    """
    spectrum = np.fft.rfft(target, 2 * len(target)) * np.conj(np.fft.rfft(output, 2 * len(target)))
    angle = 2 * np.pi * np.fft.rfftfreq(2 * len(target))
    lags = np.arange(-NEAR_SAMPLES, NEAR_SAMPLES + 1)
    likeness = np.fft.irfft(spectrum)[lags]
    best = int(lags[int(np.argmax(likeness))])

    def unlike(shift: float) -> float:
        return -float(np.real(spectrum * np.exp(1j * angle * shift)).sum())

    found = minimize_scalar(unlike, bounds=(best - 1, best + 1), method="bounded", options={"xatol": 1e-3})
    return float(found.x)


def shifted(signal: Real, samples: float) -> Real:
    """Later by any number of samples.

    Shape:
        signal: (samples,).
    """
    room = NEAR_SAMPLES + 64
    padded = np.pad(signal, room)
    turned = np.exp(-2j * np.pi * np.fft.rfftfreq(len(padded)) * samples)
    moved: Real = np.fft.irfft(np.fft.rfft(padded) * turned, len(padded))[room : room + len(signal)]
    return moved
