"""A delay as a cubic B-spline, with a prior on how fast the speed of tape can change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve_banded, cholesky_banded

from tapezoo.compiled import compiled

Real = NDArray[np.float64]

CORNER_HZ = 40.0  # wow, flutter and the capstan's lines near 25 Hz lie below; on akai4000d nothing above


@compiled
def _information(slope: Real, residual: Real, weight: Real, hop: float, points: int) -> tuple[Real, Real]:
    normal, right = np.zeros((4, points)), np.zeros(points)
    share = np.empty(4)
    for n in range(slope.size):
        if weight[n] == 0.0:
            continue
        knot = int(n / hop)
        t = n / hop - knot
        share[0] = (1.0 - t) ** 3 / 6.0
        share[1] = (3.0 * t**3 - 6.0 * t**2 + 4.0) / 6.0
        share[2] = (-3.0 * t**3 + 3.0 * t**2 + 3.0 * t + 1.0) / 6.0
        share[3] = t**3 / 6.0
        square, product = weight[n] * slope[n] ** 2, weight[n] * slope[n] * residual[n]
        for i in range(4):
            right[knot + i] += product * share[i]
            for j in range(i, 4):
                normal[3 - (j - i), knot + j] += square * share[i] * share[j]
    return normal, right


def information(slope: Real, residual: Real, weight: Real, hop: float, points: int) -> tuple[Real, Real]:
    """The normal equations of the curve's coefficients: `normal @ change = right`, for residual = slope * change.

    Args:
        slope: Change of each sample of the model for one sample more of delay.
        residual: Wet less the model.
        weight: 1 over its variance; 0 leaves a sample out.
        hop: Samples from knot to knot.
        points: Number of coefficients, `coefficients_of(samples, hop)`.

    Shape:
        slope, residual, weight: (samples,); returns: (4, points), the upper diagonals as in scipy's solveh_banded,
        and (points,).
    """
    return _information(slope, residual, weight, hop, points)


def coefficients_of(samples: int, hop: float) -> int:
    """How many coefficients a curve over `samples` samples has."""
    return int((samples - 1) / hop) + 4


def evaluate(coefficients: Real, samples: int, hop: float) -> Real:
    """The curve at samples 0, 1, 2, ..."""
    return _evaluate(coefficients, samples, hop)


@compiled
def _evaluate(coefficients: Real, samples: int, hop: float) -> Real:
    curve = np.empty(samples)
    for n in range(samples):
        knot = int(n / hop)
        t = n / hop - knot
        curve[n] = (
            coefficients[knot] * (1.0 - t) ** 3
            + coefficients[knot + 1] * (3.0 * t**3 - 6.0 * t**2 + 4.0)
            + coefficients[knot + 2] * (-3.0 * t**3 + 3.0 * t**2 + 3.0 * t + 1.0)
            + coefficients[knot + 3] * t**3
        ) / 6.0
    return curve


def speed_prior(points: int, hop: float, rate_hz: float) -> Real:
    """Inverse covariance of the coefficients of a delay whose speed deviates by 1, white below CORNER_HZ.

    Third differences are added to first ones, so that the speed's spectrum falls with the fourth power of frequency
    above the corner. The constant is free.

    Args:
        points: Number of coefficients.
        hop: Samples of the delay's unit from knot to knot.
        rate_hz: Knots per second.

    Shape:
        returns: (4, points), upper diagonals.
    """
    corner = 2 * np.pi * CORNER_HZ / rate_hz
    prior = _differences(points, 3) / corner**4 + _differences(points, 1)
    # the integral of 1 / (1 + (f / corner)^4) is 1.11 corner
    return np.asarray(prior / (hop**2 * rate_hz / 2 / (1.11 * CORNER_HZ)))


def _differences(points: int, order: int) -> Real:
    kernel = np.diff(np.eye(order + 1), order, axis=0)[0]
    matrix = np.zeros((4, points))
    for i in range(order + 1):
        for j in range(i, order + 1):
            matrix[3 - (j - i), j : j + points - order] += kernel[i] * kernel[j]
    return matrix


@dataclass(frozen=True)
class Posterior:
    """The estimate from prior and samples together.

    Args:
        change: Of the coefficients, the most probable one.
        deviation: Standard deviation of each coefficient.
        speed: Relative deviation of the speed, re-estimated.
    """

    change: Real
    deviation: Real
    speed: float


def solve(normal: Real, right: Real, prior: Real, speed: float, coefficients: Real) -> Posterior:
    """Maximum a posteriori change of the coefficients, and one step of expectation maximisation for the speed."""
    matrix = prior / speed**2
    pull = _times(matrix, coefficients)
    matrix = matrix + normal
    matrix[-1] *= 1 + 1e-9
    factor = cholesky_banded(matrix)
    change = cho_solve_banded((factor, False), right - pull)
    covariance = inverse_near_diagonal(factor)
    updated = coefficients + change
    spread = float(prior[-1] @ covariance[-1])
    for row in range(3):
        spread += 2 * float(prior[row] @ covariance[row])
    power = (float(updated @ _times(prior, updated)) + spread) / (len(coefficients) - 1)
    deviation = np.sqrt(np.maximum(covariance[-1], 0))
    return Posterior(change, deviation, float(np.sqrt(max(power, 0))))


@compiled
def inverse_near_diagonal(factor: Real) -> Real:
    """The diagonals of `inv(U.T @ U)` that U itself has, without the rest of the inverse.

    Takahashi, Fagan, Chin, "Formation of a sparse bus impedance matrix and its application to short circuit study",
    PICA Conference, 1973.

    Args:
        factor: U as scipy's cholesky_banded gives it.

    Shape:
        factor, returns: (diagonals, points), upper.
    """
    last, points = factor.shape[0] - 1, factor.shape[1]
    inverse = np.zeros_like(factor)
    for j in range(points - 1, -1, -1):
        reach = min(last, points - 1 - j)
        for i in range(j + reach, j - 1, -1):
            total = 0.0
            for k in range(j + 1, j + reach + 1):
                low, high = min(i, k), max(i, k)
                total += factor[last - (k - j), k] * inverse[last - (high - low), high]
            if i == j:
                total -= 1.0 / factor[last, j]
            inverse[last - (i - j), i] = -total / factor[last, j]
    return inverse


def _times(banded: Real, vector: Real) -> Real:
    product = banded[3] * vector
    for offset in range(1, 4):
        product[:-offset] += banded[3 - offset, offset:] * vector[offset:]
        product[offset:] += banded[3 - offset, offset:] * vector[:-offset]
    return np.asarray(product)
