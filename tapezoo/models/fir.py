"""FIR: the smallest model, one causal filter; its closed form is the linear floor of a data set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import scipy.linalg
import scipy.signal
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tapezoo.architecture import Architecture, Convolution
from tapezoo.data.streams import release
from tapezoo.esr import esr
from tapezoo.layers.convolution import controlled_fir, fold_taps, identity_taps
from tapezoo.models.arguments import LONGEST_SAMPLES, require_whole
from tapezoo.net import Net, State, UndescribableError
from tapezoo.training.effect import EffectModel

LINEAR_FLOOR_TAPS = 257
BLOCK_SAMPLES = 1 << 20  # of the closed form: a longer recording is summed up block by block


class FIRNet(Net):
    """`y[n] = sum_k (g0[k] + sum_c p_c[n] g_c[k]) x[n - k]`: one FIR, its taps linear in the controls p.

    Receptive field: `taps` samples. Latency: 0. Parameters: `taps (1 + num_controls)`.

    Args:
        num_controls: Knobs.
        taps: Length of the filter in samples, 2 or more.

    Raises:
        ModelArgumentError: An argument is out of its range.
    """

    def __init__(self, num_controls: int, taps: int = LINEAR_FLOOR_TAPS) -> None:
        require_whole("taps", taps, 2, LONGEST_SAMPLES)
        super().__init__(num_controls, receptive_field=taps)
        self.taps = nn.Parameter(identity_taps(num_controls, taps))
        self.register_rest("past", torch.zeros(1, taps - 1))

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Net.forward`."""
        trajectory, knobs = self.smoothed(controls, state, input.shape[-1])
        output, past = controlled_fir(input, trajectory, state["past"], self.taps)
        return output, {"past": past, **knobs}

    def described(self) -> Architecture:
        """See `Net.described`."""
        if self.num_controls:
            raise UndescribableError(
                self, "taps that follow its controls; folded at a setting, it is one filter"
            )
        taps = self.taps.shape[-1]
        return self.describe_layers(Convolution(1, 1, taps, "taps", state="past"), controls_at=None)

    @torch.no_grad()
    def folded(self, controls: Tensor) -> Net:
        """See `Net.folded`: one filter."""
        net = self.without_knobs()
        net.taps = nn.Parameter(fold_taps(self.taps, controls))
        return net


class FIR(EffectModel):
    """Trains a `FIRNet` by gradient, as every other model; `least_squares_fir` is its closed form."""

    net_class = FIRNet


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
