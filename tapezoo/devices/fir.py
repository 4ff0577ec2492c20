"""FIR filters with a given magnitude response and the least delay."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

_GRID = 8192  # frequency points; the cepstrum of smooth curves has decayed long before
_FLOOR = 1e-5  # -100 dB: the logarithm of a notch must stay finite


def minimum_phase_fir(
    magnitude: Callable[[NDArray[np.float64]], NDArray[np.float64]], sample_rate: int, taps: int
) -> NDArray[np.float64]:
    """Causal FIR with a given magnitude, by frequency sampling and the folded cepstrum.

    Oppenheim and Schafer, "Discrete-Time Signal Processing", section on minimum-phase sequences: the cepstrum
    of a minimum-phase sequence is causal, and its even part is the transform of the log magnitude.

    Args:
        magnitude: Frequencies in Hz -> linear gain.
        sample_rate: In Hz.
        taps: Length of the filter; the rest of the ideal response is cut off.

    Shape:
        (taps,).
    """
    grid_hz = np.asarray(np.fft.rfftfreq(_GRID, 1.0 / sample_rate), dtype=np.float64)
    cepstrum = np.fft.irfft(np.log(np.maximum(magnitude(grid_hz), _FLOOR)))
    cepstrum[1 : _GRID // 2] *= 2.0
    cepstrum[_GRID // 2 + 1 :] = 0.0
    return np.asarray(np.fft.irfft(np.exp(np.fft.rfft(cepstrum)))[:taps], dtype=np.float64)
