"""Hysteresis integrated along the field: the solver that the virtual tape uses by default."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tapezoo.compiled import compiled
from tapezoo.devices.jiles_atherton import JilesAtherton, susceptibility, within_saturation
from tapezoo.devices.solver import Magnetised, Solver


class Magnetic(NamedTuple):
    """State of the tape: the last field and magnetisation."""

    H: float
    M: float


DEMAGNETISED = Magnetic(0.0, 0.0)


@compiled
def _integrate(field: NDArray[np.float64], H: float, M: float, tape: JilesAtherton) -> NDArray[np.float64]:
    magnetisation = np.empty_like(field)
    for n in range(field.size):
        step = field[n] - H
        if step != 0.0:
            delta = math.copysign(1.0, step)
            middle = M + 0.5 * step * susceptibility(M, H, delta, tape)
            after = M + step * susceptibility(middle, H + 0.5 * step, delta, tape)
            M = within_saturation(after, M, tape)
            H = field[n]
        magnetisation[n] = M
    return magnetisation


def magnetise(
    field: NDArray[np.float64], state: Magnetic, tape: JilesAtherton
) -> tuple[NDArray[np.float64], Magnetic]:
    """Magnetisation of the tape under a field, and the state after it.

    The model is rate independent (the paper's dM/dt is proportional to dH/dt), so it is integrated as dM/dH
    along the straight line between two samples of the field. This needs no numerical dH/dt, whose own error
    dominates the paper's time-stepping solvers, and the direction of the field is exact. Each line is one step of the
    explicit midpoint rule. At 16 times 44.1 kHz, music, noise and sweeps have an ESR below 3e-8 against RK4 at 64
    times. RK4 would reach 7e-9, but its extra time, or that of smaller steps, is better spent on a higher rate, which
    also reduces aliasing.

    Args:
        field: Magnetic field, full scale +-1.
        state: State after the previous call; `DEMAGNETISED` for fresh tape.
        tape: Constants of the model.

    Shape:
        field (samples,) -> magnetisation (samples,).
    """
    if field.size == 0:
        return field, state
    magnetisation = _integrate(field, state.H, state.M, tape)
    return magnetisation, Magnetic(float(field[-1]), float(magnetisation[-1]))


class FieldSolver(Solver):
    """`magnetise` for many tapes at once."""

    name = "field"

    def solve(
        self,
        field: NDArray[np.float64],
        start: Magnetised,
        tapes: NDArray[np.float64],
        sample_rate: float,
    ) -> tuple[NDArray[np.float64], Magnetised]:
        """See `Solver.solve`; independent of the sample rate."""
        if field.shape[1] == 0:
            return np.empty((tapes.shape[0], 0)), start
        rows = np.broadcast_to(field, (tapes.shape[0], field.shape[1]))
        last = np.broadcast_to(start.H, len(tapes))
        magnetisation = np.stack(
            [
                _integrate(row, H, M, JilesAtherton(*tape))
                for row, H, M, tape in zip(rows, last, start.M, tapes, strict=True)
            ]
        )
        return magnetisation, Magnetised(
            field[:, -1].copy(), np.zeros(len(field)), magnetisation[:, -1].copy()
        )
