"""Running a nonlinearity at a multiple of the sample rate, without delay and in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import signal as scipy_signal

Carry = TypeVar("Carry")

# per side, in samples at the base rate; with a Kaiser window for 100 dB, the filter's passband ends at 0.4535 of the
# rate (20 kHz at 44.1 kHz) and its stopband starts at the mirror image, 0.5465
_REACH_SAMPLES = 36
_STOPBAND_DB = 100.0
_BLOCK_SAMPLES = 7680  # at the base rate: one block's transforms then fit a core's cache


def lowpass(factor: int) -> NDArray[np.float64]:
    """Linear-phase FIR at `factor` times the rate, cut off at the base rate's Nyquist; gain 1 at 0 Hz."""
    taps = scipy_signal.firwin(
        2 * _REACH_SAMPLES * factor + 1,
        1.0 / factor,
        window=("kaiser", scipy_signal.kaiser_beta(_STOPBAND_DB)),
    )
    return np.asarray(taps / taps.sum(), dtype=np.float64)


def run_oversampled(
    signal: NDArray[np.float64],
    process: Callable[[NDArray[np.float64], Carry], tuple[NDArray[np.float64], Carry]],
    state: Carry,
    factor: int,
) -> NDArray[np.float64]:
    """`process` applied at `factor` times the sample rate; the resampling filters' delay is removed.

    Args:
        signal: At the base rate.
        process: (block at the high rate, state) -> (block of the same length, next state).
        state: The state `process` starts from.
        factor: Whole number, 1 or more.

    Shape:
        signal (samples,) -> (samples,).
    """
    taps = lowpass(factor)
    reach, samples = _REACH_SAMPLES, signal.size
    padded = np.concatenate([np.zeros(reach), signal, np.zeros(2 * reach)])
    output = np.zeros(samples + 3 * reach + 1)
    # the process runs `reach` samples past the end, since the last output samples depend on them
    for start in range(0, samples + reach, _BLOCK_SAMPLES):
        length = min(_BLOCK_SAMPLES, samples + reach - start)
        stuffed = np.zeros((length + 2 * reach) * factor)
        stuffed[::factor] = padded[start : start + length + 2 * reach] * factor
        high = scipy_signal.fftconvolve(stuffed, taps, mode="full")[2 * reach * factor :][: length * factor]
        high, state = process(high, state)
        low = scipy_signal.fftconvolve(high, taps, mode="full")[::factor]
        output[start : start + low.size] += low
    return output[reach : reach + samples]
