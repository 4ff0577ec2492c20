"""Levenberg's and Marquardt's method for nets in a loop, whose weights are linear in what is fitted."""

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
RIDGE = 1e-9  # of the mean of the diagonal: parameters that nothing depends on yet


@dataclass(frozen=True)
class Rows:
    """Rows at the same controls.

    Args:
        heard: Of the rows.
        features: f of their controls: their weights are `C f`, (F,).
    """

    heard: Heard
    features: Array


@dataclass(frozen=True)
class Decay:
    """What coefficients are drawn to, beside what the rows say.

    Args:
        strength: Factor of the squared distance in what is made least, 0 or more.
        towards: Where it is least, (free,).
    """

    strength: float
    towards: Array

    def penalty(self, coefficients: Array) -> float:
        """What it adds to the error."""
        away = coefficients - self.towards
        return self.strength * float(away @ away)


@dataclass(frozen=True)
class Fit:
    """Where a fit got to.

    Args:
        coefficients: The free ones of C, in C order, (free,).
        error: Sum of the squared errors of the last roll-out; infinite where the path was not finite.
        damping: To go on with.
        penalty: What decay adds to the error.
    """

    coefficients: Array
    error: float
    damping: float = START_DAMPING
    penalty: float = 0.0

    def stiffened(self) -> Fit:
        """For another length of roll-outs: steps that were far at the last one are tried shorter."""
        return replace(self, damping=max(self.damping, LONG_STEP))


class LeastSquares:
    """The coefficients C of `weights = C features` that make the nets' paths least wrong.

    Args:
        rows: What is fitted on.
        size: Of the net.
        free: Which of C are fitted.
        fixed: C, of which the others are taken.
        each: Maps over the rows: the built-in map, or a thread pool's.
        decay: Of the fitted coefficients; None: none.

    Shape:
        free, fixed: (P, F), as `NetSize` has them; what M is held within is never fitted.
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
        """Steps at one length of roll-outs, each taken only if the error falls.

        Args:
            start: Where to begin; its error is measured anew.
            rollout: See `tapezoo.layers.transition_fit.normal_equations`.
            iterations: At most.
            least_gain: A step that lowers the error by a smaller share is the last.
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
        """Of the rows."""
        return max(int(rows.heard.target.shape[1]) for rows in self._rows)

    def _penalised(self, coefficients: Array, rollout: int) -> tuple[float, Array, Array]:
        """`equations`, of the error and the decay together."""
        error, matrix, slope = self.equations(coefficients, rollout)
        decay = self._decay
        return (
            error + decay.penalty(coefficients),
            matrix + decay.strength * np.eye(len(coefficients)),
            slope - decay.strength * (coefficients - decay.towards),
        )

    def whole(self, coefficients: Array) -> Array:
        """C, (P, F), of its free coefficients."""
        C: Array = self._fixed.copy()
        C[self._free] = coefficients
        return C

    def equations(self, coefficients: Array, rollout: int) -> tuple[float, Array, Array]:
        """Error, J'J and J'(target - path) by the free coefficients."""
        C = self.whole(coefficients)
        weights, features = len(C) - 1, C.shape[1]  # the last one is what M is held within

        def of(rows: Rows) -> Any:
            *parameters, limit = C @ rows.features
            width, layers = self._size.width, self._size.layers
            return normal_equations(rows.heard, np.array(parameters), width, layers, rollout, limit)

        found = list(self._each(of, self._rows))
        f = np.stack([rows.features for rows in self._rows])
        # a row's J by C is its J by the weights, times the features: J'J by C is a Kronecker product
        squares = (f[:, :, None] * f[:, None, :]).reshape(len(f), -1)
        inner = np.stack([one.matrix for one in found]).reshape(len(f), -1)
        with np.errstate(over="ignore", invalid="ignore"):  # of a path that ran away, which is refused
            both = (squares.T @ inner).reshape(features, features, weights, weights)
            slope: Any = np.stack([one.slope for one in found]).T @ f
        matrix = both.transpose(2, 0, 3, 1).reshape(weights * features, weights * features)
        free = self._free[:-1].ravel()
        error = sum(one.error for one in found)
        return (error if np.isfinite(error) else np.inf), matrix[np.ix_(free, free)], slope.ravel()[free]


def _move(matrix: Array, slope: Array, damping: float) -> Array:
    """The step that is shortest for what it brings; none where the equations are not finite."""
    diagonal = np.diag(matrix)
    if not (np.isfinite(matrix).all() and np.isfinite(slope).all()):
        return np.zeros_like(slope)
    ridge = RIDGE * diagonal.mean() + np.finfo(np.float64).tiny
    step: Array = np.asarray(np.linalg.solve(matrix + damping * np.diag(diagonal + ridge), slope), np.float64)
    return step
