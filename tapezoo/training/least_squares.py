"""The method of Levenberg and Marquardt for nets with feedback whose weights are linear in the fitted coefficients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapezoo.layers.transition_fit import Heard, normal_equations
from tapezoo.layers.transition_weights import NetSize

Array = NDArray[np.float64]
Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]

ATTEMPTS = 8
LEAST_DAMPING, MOST_DAMPING = 1e-10, 1e6
START_DAMPING = 1e-2
LONG_STEP = 1e-3
EASED, STIFFENED = 0.3, 4.0
RIDGE = 1e-9  # relative to the mean of the diagonal, for parameters without any effect yet


@dataclass(frozen=True)
class Rows:
    """Rows at the same controls.

    Args:
        heard: The data of the rows.
        features: f of their controls; their weights are `C f`, (F,).
    """

    heard: Heard
    features: Array


@dataclass(frozen=True)
class Decay:
    """A pull on the coefficients, added to the error of the rows.

    Args:
        strength: Factor of the squared distance in the minimised sum, 0 or more.
        towards: The coefficients at which the pull is zero, (free,).
    """

    strength: float
    towards: Array

    def penalty(self, coefficients: Array) -> float:
        """The amount added to the error."""
        away = coefficients - self.towards
        return self.strength * float(away @ away)


@dataclass(frozen=True)
class Fit:
    """The result of a fit so far.

    Args:
        coefficients: The free elements of C, in C order, (free,).
        error: Sum of the squared errors of the last roll-out; infinite if the path was not finite.
        damping: The damping to continue with.
        penalty: The amount that decay adds to the error.
    """

    coefficients: Array
    error: float
    damping: float = START_DAMPING
    penalty: float = 0.0

    def stiffened(self) -> Fit:
        """For another roll-out length: after large damping, the next steps start shorter."""
        return replace(self, damping=max(self.damping, LONG_STEP))


class LeastSquares:
    """The coefficients C of `weights = C features` that minimise the error of the nets' paths.

    Args:
        rows: The data to fit.
        size: The size of the net.
        free: Which elements of C are fitted.
        fixed: C, from which the other elements are taken.
        each: Maps over the rows: the built-in map, or a thread pool's.
        decay: Decay of the fitted coefficients; None: none.

    Shape:
        free, fixed: (P, F), in the order of `NetSize`; the limit of M is never fitted.
    """

    def __init__(
        self,
        rows: Sequence[Rows],
        size: NetSize,
        free: NDArray[np.bool_],
        fixed: Array,
        each: Map = map,
        decay: Decay | None = None,
    ) -> None:
        self._rows, self._size, self._free, self._fixed, self._each = rows, size, free, fixed, each
        self._decay = decay or Decay(0.0, np.zeros(int(free.sum())))

    def improve(self, start: Fit, rollout: int, iterations: int, least_gain: float = 1e-3) -> Fit:
        """Takes steps at one roll-out length, each only if the error falls.

        Args:
            start: Where to begin; its error is measured again.
            rollout: See `tapezoo.layers.transition_fit.normal_equations`.
            iterations: Largest number of steps.
            least_gain: The fit stops after a step that lowers the error by a smaller share than this.
        """
        place: Any = start.coefficients
        damping = start.damping
        error, matrix, slope = self._penalised(place, rollout)
        for _ in range(iterations):
            for _ in range(ATTEMPTS):
                tried = place + _move(matrix, slope, damping)
                there = self._penalised(tried, rollout)
                if there[0] < error:
                    gain = 1.0 - there[0] / error if np.isfinite(error) else 1.0
                    place, (error, matrix, slope) = tried, there
                    damping = max(damping * EASED, LEAST_DAMPING)
                    break
                damping = min(damping * STIFFENED, MOST_DAMPING)
            else:
                break
            if gain < least_gain:
                break
        penalty = self._decay.penalty(place)
        return Fit(place, error - penalty, damping, penalty)

    @property
    def longest_samples(self) -> int:
        """Length of the longest row, in samples."""
        return max(int(rows.heard.target.shape[1]) for rows in self._rows)

    def _penalised(self, coefficients: Array, rollout: int) -> tuple[float, Array, Array]:
        """`equations` of the error and the decay combined."""
        error, matrix, slope = self.equations(coefficients, rollout)
        decay = self._decay
        return (
            error + decay.penalty(coefficients),
            matrix + decay.strength * np.eye(len(coefficients)),
            slope - decay.strength * (coefficients - decay.towards),
        )

    def whole(self, coefficients: Array) -> Array:
        """C, (P, F), with these free coefficients."""
        C: Array = self._fixed.copy()
        C[self._free] = coefficients
        return C

    def equations(self, coefficients: Array, rollout: int) -> tuple[float, Array, Array]:
        """Error, J'J and J'(target - path) with respect to the free coefficients."""
        C = self.whole(coefficients)
        weights, features = len(C) - 1, C.shape[1]  # the last weight is the limit of M

        def of(rows: Rows) -> Any:
            *parameters, limit = C @ rows.features
            width, layers = self._size.width, self._size.layers
            return normal_equations(rows.heard, np.array(parameters), width, layers, rollout, limit)

        found = list(self._each(of, self._rows))
        f = np.stack([rows.features for rows in self._rows])
        # a row's J with respect to C is its J with respect to the weights, times the features: a Kronecker product
        squares = (f[:, :, None] * f[:, None, :]).reshape(len(f), -1)
        inner = np.stack([one.matrix for one in found]).reshape(len(f), -1)
        with np.errstate(over="ignore", invalid="ignore"):  # from a diverged path, rejected later
            both = (squares.T @ inner).reshape(features, features, weights, weights)
            slope: Any = np.stack([one.slope for one in found]).T @ f
        matrix = both.transpose(2, 0, 3, 1).reshape(weights * features, weights * features)
        free = self._free[:-1].ravel()
        error = sum(one.error for one in found)
        return (error if np.isfinite(error) else np.inf), matrix[np.ix_(free, free)], slope.ravel()[free]


def _move(matrix: Array, slope: Array, damping: float) -> Array:
    """The damped Gauss-Newton step; zeros if the equations are not finite."""
    diagonal = np.diag(matrix)
    if not (np.isfinite(matrix).all() and np.isfinite(slope).all()):
        return np.zeros_like(slope)
    ridge = RIDGE * diagonal.mean() + np.finfo(np.float64).tiny
    step: Array = np.asarray(np.linalg.solve(matrix + damping * np.diag(diagonal + ridge), slope), np.float64)
    return step
