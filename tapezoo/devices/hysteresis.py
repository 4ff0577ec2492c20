"""Magnetic hysteresis alone: the system that a state transition network learns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tapezoo.controls import Control, ControlError
from tapezoo.devices.alpha_transform import alpha_derivative
from tapezoo.devices.device import Device, DeviceError, check_signal, fill_defaults
from tapezoo.devices.jiles_atherton import JilesAtherton, parameters
from tapezoo.devices.oversampling import run_oversampled
from tapezoo.devices.solver import Magnetised, constants, demagnetised
from tapezoo.devices.solvers import find_solver

MOST_OVERSAMPLING = 64
MOST_FIELD = 1e100  # far enough from overflow that its derivative is finite too


class Hysteresis(Device):
    """The magnetisation of a tape whose field is the signal: no filter, no bias current, no make-up gain.

    Jiles-Atherton hysteresis in the parametrisation of Chowdhury, "Real-time physical modelling for analog tape
    machines", DAFx 2019: the ground truth of "Tape emulation with neural networks" (Chowdhury, 2020). The output
    is M itself, up to 2 in magnitude at a saturation of 0, and about 1/300 of the signal at a drive of 0. Without
    oversampling it aliases, like the networks it is compared with. A tape starts demagnetised; nothing is random.

    Args:
        solver: "NR8", "NR4", "RK4", "RK2" step in time, "field" integrates along the field (`tapezoo.devices.solvers`).
        oversampling: Whole number, 1 to 64: factor on the sample rate at which the equation is solved.

    Raises:
        DeviceError: There is no such solver, or oversampling is out of range.
    """

    name = "hysteresis"
    revision = "1"
    controls = (
        Control("drive", 0.0, 1.0, 0.5),
        Control("saturation", 0.0, 1.0, 0.5),
        Control("bias", 0.0, 1.0, 0.5),
    )

    def __init__(self, *, solver: str = "NR8", oversampling: int = 1) -> None:
        self.solver = find_solver(self.name, solver)
        if not (isinstance(oversampling, int) and 1 <= oversampling <= MOST_OVERSAMPLING):
            raise DeviceError(
                f"device {self.name!r}, option 'oversampling'",
                found=f"{oversampling}",
                expected=f"a whole number, 1 to {MOST_OVERSAMPLING}",
                fix="Change the value.",
            )
        self.oversampling = oversampling

    def render(
        self, dry: NDArray[np.float32], sample_rate: int, settings: Mapping[str, float], seed: int
    ) -> NDArray[np.float32]:
        """See `Device.render`."""
        values = fill_defaults(self.controls, settings)
        signal = check_signal(self.name, dry, sample_rate)
        tapes = constants([tape_at(values["drive"], values["saturation"], values["bias"])])
        high_hz = self.oversampling * sample_rate

        def process(block: NDArray[np.float64], state: Magnetised) -> tuple[NDArray[np.float64], Magnetised]:
            magnetisation, after = self.solver.solve(block[None], state, tapes, high_hz)
            return magnetisation[0], after

        start = demagnetised(1, 1)
        if self.oversampling == 1:
            return process(signal, start)[0].astype(np.float32)
        return run_oversampled(signal, process, start, self.oversampling).astype(np.float32)


def tape_at(drive: float, saturation: float, bias: float) -> JilesAtherton:
    """The tape at three knobs 0..1; more bias makes its loop narrower."""
    return parameters(drive, saturation, 1.0 - bias)


class States(NamedTuple):
    """The states that a solver passed through, sample by sample; a state transition maps each one to the next.

    Args:
        H: Field.
        dH: Its derivative per second, by the alpha transform.
        M: Magnetisation.

    Shape:
        H (rows, samples), dH (rows, samples), M (points, samples).
    """

    H: NDArray[np.float64]
    dH: NDArray[np.float64]
    M: NDArray[np.float64]


def hysteresis_states(
    field: NDArray[np.floating],
    points: NDArray[np.floating],
    sample_rate: int,
    solver: str = "NR8",
    start: Magnetised | None = None,
) -> tuple[States, Magnetised]:
    """Field, derivative and magnetisation at many settings at once, and the states to continue from.

    Everything is held in memory as float64: split long fields into blocks, which give the same result bit for bit.

    Args:
        field: One row for all points, or one for each.
        points: Drive, saturation and bias of each point, 0..1.
        sample_rate: In Hz.
        solver: As for the device.
        start: States after the previous block; None: demagnetised tapes without a field.

    Shape:
        field (samples,) or (points, samples), points (points, 3).

    Raises:
        ControlError: A setting outside 0..1.
        DeviceError: There is no such solver, the arrays do not fit together, or the field is not finite.
    """
    chosen = find_solver(Hysteresis.name, solver)
    tapes = constants([tape_at(*point) for point in _checked_points(points)])
    rows = _checked_field(field, len(tapes))
    begin = demagnetised(len(rows), len(tapes)) if start is None else _checked_start(start, rows, tapes)
    magnetisation, end = chosen.solve(rows, begin, tapes, sample_rate)
    derivative = alpha_derivative(rows, begin.H, begin.dH, sample_rate)
    if rows.shape[1]:
        end = end._replace(dH=derivative[:, -1].copy())
    return States(rows, derivative, magnetisation), end


def _checked_points(points: NDArray[np.floating]) -> NDArray[np.float64]:
    found = np.asarray(points, dtype=np.float64)
    names = [control.name for control in Hysteresis.controls]
    if found.ndim != 2 or found.shape[1] != len(names) or not len(found):
        raise DeviceError(
            "points of the device 'hysteresis'",
            found=f"an array of shape {found.shape}",
            expected=f"(points, {len(names)}): {', '.join(names)}",
            fix="Give one row for each point.",
        )
    wrong = np.argwhere(~((found >= 0.0) & (found <= 1.0)))
    if len(wrong):
        point, control = wrong[0]
        raise ControlError(
            f"control {names[control]!r} of point {point}",
            found=f"{found[point, control]}",
            expected="0.0 to 1.0",
            fix="Change the value.",
        )
    return found


def _checked_field(field: NDArray[np.floating], points: int) -> NDArray[np.float64]:
    rows = np.atleast_2d(np.ascontiguousarray(field, dtype=np.float64))
    if rows.ndim != 2 or rows.shape[0] not in (1, points):
        raise DeviceError(
            "field of the device 'hysteresis'",
            found=f"an array of shape {np.shape(field)}",
            expected=f"(samples,) or ({points}, samples)",
            fix="Give one field for all points, or one for each.",
        )
    if not (np.abs(rows) <= MOST_FIELD).all():
        raise DeviceError(
            "field of the device 'hysteresis'",
            found="NaN, infinite or very large samples",
            expected=f"finite samples, full scale +-1, at most {MOST_FIELD:g}",
            fix="Repair the signal.",
        )
    return rows


def _checked_start(start: Magnetised, rows: NDArray[np.float64], tapes: NDArray[np.float64]) -> Magnetised:
    found = Magnetised(*(np.ascontiguousarray(part, dtype=np.float64) for part in start))
    expected = ((len(rows),), (len(rows),), (len(tapes),))
    if tuple(part.shape for part in found) != expected or not all(np.isfinite(part).all() for part in found):
        raise DeviceError(
            "state of the device 'hysteresis'",
            found=f"arrays of shape {', '.join(str(part.shape) for part in found)}",
            expected=f"finite values of shape {', '.join(str(shape) for shape in expected)}",
            fix="Pass the state that was returned for the last block of the same points and fields.",
        )
    return found
