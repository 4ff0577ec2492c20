"""Record and replay equalisation of a tape machine, by the time constants of the NAB standard.

NAB, "Magnetic tape recording and reproducing (reel-to-reel)", 1965; the same figures in IEC 60094-1. The standard
fixes the flux on the tape, which falls at 6 dB/octave above 1 / (2 pi T_HIGH) = 3183 Hz and rises below
1 / (2 pi T_LOW) = 50 Hz; the replay amplifier is its inverse. The record amplifier is free: it is whatever
makes the machine flat with its tape.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import signal as scipy_signal

T_LOW_S = 3180e-6
T_HIGH_S = 50e-6
# the record amplifier's bass boost stops here; otherwise it would amplify rumble without limit
RECORD_BASS_END_HZ = 5.0
ALIGNMENT_HZ = (1_000.0, 10_000.0)


def replay_treble(frequency_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Magnitude of the replay amplifier's treble rise, |1 + s T_HIGH|."""
    return np.hypot(1.0, 2.0 * np.pi * frequency_hz * T_HIGH_S)


def replay_bass(signal: NDArray[np.float64], sample_rate: int) -> NDArray[np.float64]:
    """The replay amplifier's bass fall, s T_LOW / (1 + s T_LOW): flux at 0 Hz is not reproduced."""
    numerator, denominator = scipy_signal.bilinear([T_LOW_S, 0.0], [T_LOW_S, 1.0], fs=sample_rate)
    return np.asarray(scipy_signal.lfilter(numerator, denominator, signal), dtype=np.float64)


def record_bass(signal: NDArray[np.float64], sample_rate: int) -> NDArray[np.float64]:
    """The record amplifier's bass rise, (1 + s T_LOW) / (s T_LOW), flat below RECORD_BASS_END_HZ."""
    end = 2.0 * math.pi * RECORD_BASS_END_HZ * T_LOW_S
    numerator, denominator = scipy_signal.bilinear([T_LOW_S, 1.0], [T_LOW_S, end], fs=sample_rate)
    return np.asarray(scipy_signal.lfilter(numerator, denominator, signal), dtype=np.float64)


def record_treble(frequency_hz: NDArray[np.float64], time_constant_s: float) -> NDArray[np.float64]:
    """Magnitude of the record amplifier's treble rise, |1 + s T|."""
    return np.hypot(1.0, 2.0 * np.pi * frequency_hz * time_constant_s)


def treble_alignment(response: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> float:
    """Time constant in s of the record treble rise that makes 10 kHz as loud as 1 kHz; 0 if 10 kHz is already louder.

    This is the alignment step in every machine's manual: record treble is adjusted last, at 10 kHz, against 1 kHz.
    With r = |R(1 kHz) / R(10 kHz)|^2 of the rest of the machine, 1 + (w10 T)^2 = r (1 + (w1 T)^2).

    Args:
        response: Frequencies in Hz -> linear gain of the machine without the record treble.
    """
    omega = 2.0 * np.pi * np.array(ALIGNMENT_HZ)
    low, high = response(np.array(ALIGNMENT_HZ))
    ratio = float((low / high) ** 2)
    return math.sqrt(max(ratio - 1.0, 0.0) / max(float(omega[1] ** 2 - ratio * omega[0] ** 2), 1.0))
