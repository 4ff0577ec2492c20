"""The contract of the solvers of the hysteresis equation: field in, magnetisation out, for many tapes at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tapezoo.devices.jiles_atherton import JilesAtherton


class Magnetised(NamedTuple):
    """State of several tapes after a sample.

    Args:
        H: Field, for each row of fields.
        dH: Its derivative per second, as used by the solver; 0 if the solver needs none.
        M: Magnetisation, for each tape.

    Shape:
        H (rows,), dH (rows,), M (tapes,).
    """

    H: NDArray[np.float64]
    dH: NDArray[np.float64]
    M: NDArray[np.float64]


def demagnetised(rows: int, tapes: int) -> Magnetised:
    """Demagnetised tapes without a field."""
    return Magnetised(np.zeros(rows), np.zeros(rows), np.zeros(tapes))


def constants(tapes: Sequence[JilesAtherton]) -> NDArray[np.float64]:
    """The constants of several tapes in the form that the solvers take, (tapes, 5)."""
    return np.array(tapes, dtype=np.float64).reshape(len(tapes), len(JilesAtherton._fields))


class Solver(ABC):
    """A way to solve the equation. The result is the same bit for bit for blocks of any length, and for any number of
    tapes at once.

    Args:
        name: Its name in recipes.
    """

    name: str

    @abstractmethod
    def solve(
        self,
        field: NDArray[np.float64],
        start: Magnetised,
        tapes: NDArray[np.float64],
        sample_rate: float,
    ) -> tuple[NDArray[np.float64], Magnetised]:
        """Magnetisation of every tape, and the state after the last sample.

        Args:
            field: One row for all tapes, or one for each; finite.
            start: The state to continue from.
            tapes: Result of `constants`.
            sample_rate: In Hz.

        Shape:
            field (rows, samples), rows 1 or tapes -> (tapes, samples).
        """
