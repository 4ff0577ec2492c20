"""The solvers of the hysteresis equation, by their names in recipes."""

from __future__ import annotations

from tapezoo.devices.device import DeviceError
from tapezoo.devices.field_solver import FieldSolver
from tapezoo.devices.solver import Solver
from tapezoo.devices.time_solvers import RK2, RK4, Newton

_ALL: tuple[Solver, ...] = (FieldSolver(), RK2(), RK4(), Newton(4), Newton(8))
SOLVERS = {solver.name: solver for solver in _ALL}


def find_solver(device: str, name: str) -> Solver:
    """The solver with this name. Raises a DeviceError that names the device if there is none."""
    if name not in SOLVERS:
        raise DeviceError(
            f"device {device!r}, option 'solver'",
            found=repr(name),
            expected=f"one of {', '.join(SOLVERS)}",
            fix="Correct the name.",
        )
    return SOLVERS[name]
