"""Causal linear filters in closed form: the least-squares FIR of recordings, and its error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from tapezoo.data.normal_equations import NormalEquations
from tapezoo.data.streams import release
from tapezoo.esr import esr

LINEAR_FLOOR_TAPS = 257
BLOCK_SAMPLES = 1 << 20  # a longer recording is summed up block by block

FIRST_RIDGE = 1e-3  # of the input's energy: where the search for the ridge begins
LEAST_RIDGE = 1e-9  # of the input's energy: recordings are band-limited, so the equations are nearly singular
CORRECTION_RIDGE = 0.75  # of the input's energy: heavy
RIDGE_STEPS = 6  # after which it moves by a few per cent

HEAVIEST_RIDGE = 100.0  # of the input's energy, for a part of the filter: such taps are practically 0
SHORTEST_PART = 64  # taps that share a ridge

Signals = Iterable[tuple[NDArray[np.float32], NDArray[np.float32]]]


@dataclass(frozen=True)
class LinearFilter:
    """`y[n] = offset + sum_k taps[k] x[n + lead - k]`.

    Args:
        taps: (taps,), the newest sample's coefficient first.
        offset: A machine's DC, which no tap can make.
        lead_samples: How far it looks ahead.
    """

    taps: NDArray[np.float64]
    offset: float = 0.0
    lead_samples: int = 0


def least_squares_fir(pairs: Signals, taps: int = LINEAR_FLOOR_TAPS) -> LinearFilter:
    """The causal FIR with an offset that predicts target from input best, silence before each pair.

    Its squared error over all pairs is the least, but for a ridge that keeps thousands of taps from fitting the noise
    of a few seconds: `ridge = taps v / |g|^2`, v the error's mean square. It is the one that belongs to white noise of
    that variance and to taps drawn from a normal distribution of theirs (MacKay, "Bayesian interpolation", Neural
    Computation 4, 1992, with every tap counted as determined), so that a linear machine without noise has none.
    In a last step every part of the filter has a ridge of its own, from its own power: late taps in which there is
    little but noise are held back most (15 s of the virtual tape, 2048 taps: a validation ESR of .0231, .0280 without).

    Args:
        pairs: (input, target) arrays of equal length.
        taps: Length of the filter, 1 or more.
    """
    return fit_filter(gather(pairs, taps))


def gather(pairs: Signals, taps: int) -> NormalEquations:
    """The normal equations of (input, target) arrays of equal length, for `fit_filter`."""
    equations = NormalEquations(taps)
    for input, target in pairs:
        equations.add(filter_blocks(input, target, taps))
    return equations


def fit_filter(equations: NormalEquations) -> LinearFilter:
    """`least_squares_fir` of what was gathered."""
    taps = equations.taps
    ridge = FIRST_RIDGE * equations.power
    found, offset = equations.solve(ridge)
    for _ in range(RIDGE_STEPS):
        size = float(found @ found)
        if not size:
            break
        noise = equations.error_energy(found) / equations.samples
        # a ridge above the input's own energy would suppress the filter itself
        ridge = min(max(taps * noise / size, LEAST_RIDGE * equations.power), equations.power)
        found, offset = equations.solve(ridge, found)
    if taps > SHORTEST_PART:
        found, offset = equations.solve(_ridges(equations, found, ridge), found)
    return LinearFilter(found, offset)


def _ridges(equations: NormalEquations, found: NDArray[np.float64], least: float) -> NDArray[np.float64]:
    """The noise over the mean square of the taps, at least `least`, for parts that grow by half an octave."""
    noise = equations.error_energy(found) / max(equations.samples, 1)
    ridges = np.empty(len(found))
    start, stop = 0, SHORTEST_PART
    while start < len(found):
        power = float(np.mean(np.square(found[start:stop])))
        most = HEAVIEST_RIDGE * equations.power
        ridges[start:stop] = max(noise / power, least) if noise < most * power else most
        start, stop = stop, max(stop + SHORTEST_PART, round(stop * 2**0.5))
    return ridges


def look_ahead(pairs: Signals, lead_samples: int) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Every input, read `lead_samples` ahead of its target; both cut to what they share."""
    return [(input[lead_samples:], target[: len(target) - lead_samples]) for input, target in pairs]


def correct_filter(pairs: Signals, filter: LinearFilter) -> LinearFilter:
    """The filter moved towards the least squared error, where the input has more energy than its mean.

    Its change has a ridge of three quarters of the input's mean power: what the input hardly excites stays as it is.

    Args:
        pairs: (input, target) arrays of equal length, the input earlier by the filter's lead.
        filter: Where to begin.
    """
    taps = len(filter.taps)
    equations = gather(pairs, taps)
    found, offset = equations.correct(filter.taps, CORRECTION_RIDGE * equations.power)
    return LinearFilter(found, offset, filter.lead_samples)


def linear_floor(
    train: Signals, validation: Signals, skip_samples: int, taps: int = LINEAR_FLOOR_TAPS
) -> float:
    """ESR on `validation`, after `skip_samples` of each pair, of the FIR that is best on `train`."""
    return fir_esr(least_squares_fir(train, taps), validation, skip_samples)


def fir_esr(filter: LinearFilter, pairs: Signals, skip_samples: int) -> float:
    """ESR of a filter on `pairs`, after `skip_samples` of each; NaN where the targets are silent."""
    energies = np.zeros(2)
    for input, target in pairs:
        energies += fir_energies(filter, input, target, skip_samples)
    return esr(float(energies[0]), float(energies[1]))


def fir_energies(
    filter: LinearFilter,
    input: NDArray[np.float32],
    target: NDArray[np.float32],
    skip_samples: int,
) -> tuple[float, float]:
    """Energy of a filter's error, and of the target, both after `skip_samples`."""
    error = energy = 0.0
    done = 0
    [(input, target)] = look_ahead([(input, target)], filter.lead_samples)
    for x, d, new in filter_blocks(input, target, len(filter.taps)):
        output = scipy.signal.oaconvolve(x, filter.taps)[len(x) - new : len(x)] + filter.offset
        skipped = max(0, skip_samples - done)
        error += float(np.square(output - d[-new:])[skipped:].sum())
        energy += float(np.square(d[-new:])[skipped:].sum())
        done += new
    return error, energy


def filter_blocks(
    input: NDArray[np.float32], target: NDArray[np.float32], taps: int
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64], int]]:
    """Input and target in blocks, each after the `taps - 1` samples before it, and how many samples are new."""
    step = max(BLOCK_SAMPLES, taps)
    for start in range(0, len(input), step):
        part = slice(max(0, start - taps + 1), start + step)
        x, d = input[part].astype(np.float64), target[part].astype(np.float64)
        release(input)
        yield x, d, len(x) - (start - part.start)
