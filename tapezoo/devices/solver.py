"""What solves the hysteresis equation: a field in, the magnetisation it leaves out, many tapes at once."""

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
        H: Field, of each row of fields.
        dH: Its derivative per second as the solver took it; 0 where the solver needs none.
        M: Magnetisation, of each tape.

    Shape:
        H (rows,), dH (rows,), M (tapes,).
    """

    H: NDArray[np.float64]
    dH: NDArray[np.float64]
    M: NDArray[np.float64]


def demagnetised(rows: int, tapes: int) -> Magnetised:
    """Fresh tapes in no field."""
    return Magnetised(np.zeros(rows), np.zeros(rows), np.zeros(tapes))


def constants(tapes: Sequence[JilesAtherton]) -> NDArray[np.float64]:
    """The constants of several tapes as the solvers take them, (tapes, 5)."""
    return np.array(tapes, dtype=np.float64).reshape(len(tapes), len(JilesAtherton._fields))


class Solver(ABC):
    """A way to solve the equation. Blocks of any length give what one pass gives, to the bit, and so does each
    tape alone.

    Args:
        name: As recipes write it.
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
            start: The state to go on from.
            tapes: Of `constants`.
            sample_rate: In Hz.

        Shape:
            field (rows, samples), rows 1 or tapes -> (tapes, samples).
        """
