"""Causal linear filters in closed form: the least-squares FIR of recordings, and its error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import scipy.linalg
import scipy.signal
from numpy.typing import NDArray

from tapezoo.data.streams import release
from tapezoo.esr import esr

LINEAR_FLOOR_TAPS = 257
BLOCK_SAMPLES = 1 << 20  # a longer recording is summed up block by block

Signals = Iterable[tuple[NDArray[np.float32], NDArray[np.float32]]]


def least_squares_fir(pairs: Signals, taps: int = LINEAR_FLOOR_TAPS) -> NDArray[np.float64]:
    """The causal FIR with the least squared error over all pairs, silence before each one.

    Solves the normal equations `R g = p` exactly (covariance method, Makhoul 1975): R's first row is a
    correlation, every further diagonal entry drops the product that leaves the window,
    `R[i+1, j+1] = R[i, j] - x[N-1-i] x[N-1-j]`.

    Args:
        pairs: (input, target) arrays of equal length.
        taps: Length of the filter.

    Shape:
        result: (taps,), the current sample's coefficient first.
    """
    normal, projection = np.zeros((taps, taps)), np.zeros(taps)
    for input, target in pairs:
        samples = len(input)
        if samples < taps:
            continue
        autocorrelation = np.zeros(taps)
        for x, d, new in _blocks(input, target, taps):
            lags = slice(new - 1, new - 1 + taps)
            projection += scipy.signal.correlate(d[-new:], x, method="fft")[lags]
            autocorrelation += scipy.signal.correlate(x[-new:], x, method="fft")[lags]
        x = input[-(taps - 1) :].astype(np.float64)
        leaving = x[::-1]
        rows = np.empty((taps, taps))
        rows[0] = autocorrelation
        for row in range(taps - 1):
            rows[row + 1, 1:] = rows[row, :-1] - leaving[row] * leaving
            rows[row + 1, 0] = rows[0, row + 1]
        normal += (rows + rows.T) / 2
    # recordings are band-limited, which leaves R nearly singular; 1e-9 of its mean power is far below any noise
    normal += 1e-9 * np.trace(normal) / taps * np.eye(taps)
    solution: NDArray[np.float64] = scipy.linalg.solve(normal, projection, assume_a="pos")
    return solution


def linear_floor(
    train: Signals, validation: Signals, skip_samples: int, taps: int = LINEAR_FLOOR_TAPS
) -> float:
    """ESR on `validation`, after `skip_samples` of each pair, of the FIR that is best on `train`."""
    return fir_esr(least_squares_fir(train, taps), validation, skip_samples)


def fir_esr(coefficients: NDArray[np.float64], pairs: Signals, skip_samples: int) -> float:
    """ESR of a causal FIR on `pairs`, after `skip_samples` of each; NaN where the targets are silent."""
    energies = np.zeros(2)
    for input, target in pairs:
        energies += fir_energies(coefficients, input, target, skip_samples)
    return esr(float(energies[0]), float(energies[1]))


def fir_energies(
    coefficients: NDArray[np.float64],
    input: NDArray[np.float32],
    target: NDArray[np.float32],
    skip_samples: int,
) -> tuple[float, float]:
    """Energy of a causal FIR's error, and of the target, both after `skip_samples`."""
    error = energy = 0.0
    done = 0
    for x, d, new in _blocks(input, target, len(coefficients)):
        output = scipy.signal.oaconvolve(x, coefficients)[len(x) - new : len(x)]
        skipped = max(0, skip_samples - done)
        error += float(np.square(output - d[-new:])[skipped:].sum())
        energy += float(np.square(d[-new:])[skipped:].sum())
        done += new
    return error, energy


def _blocks(
    input: NDArray[np.float32], target: NDArray[np.float32], taps: int
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64], int]]:
    """Input and target in blocks, each after the `taps - 1` samples before it, and how many samples are new."""
    step = max(BLOCK_SAMPLES, taps)
    for start in range(0, len(input), step):
        part = slice(max(0, start - taps + 1), start + step)
        x, d = input[part].astype(np.float64), target[part].astype(np.float64)
        release(input)
        yield x, d, len(x) - (start - part.start)
