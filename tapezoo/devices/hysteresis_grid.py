"""The magnetisation of many tapes under the same fields: training and test data for the nets of a grid."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from tapezoo.devices.device import DeviceError
from tapezoo.devices.hysteresis import Hysteresis, hysteresis_states, tape_at
from tapezoo.devices.hysteresis_fields import Fields
from tapezoo.devices.jiles_atherton import langevin
from tapezoo.devices.solver import Magnetised

_CELLS_AT_ONCE = 16  # per thread: their float64 results are freed before the next cells are solved
_BYTES_PER_SAMPLE = 4


def with_drives(cells: NDArray[np.floating], drives: NDArray[np.floating]) -> NDArray[np.float64]:
    """Points of cells whose nets have the drive as an input: in each cell every row of the fields has its own drive.

    Args:
        cells: Saturation and bias of each cell, 0..1.
        drives: Drive of each row, 0..1 (`Fields.drives`).

    Shape:
        cells (cells, 2), drives (rows,) -> (cells, rows, 3): drive, saturation, bias.
    """
    points = np.empty((len(cells), len(drives), 3))
    points[:, :, 0], points[:, :, 1:] = drives, np.asarray(cells)[:, None]
    return points


def render_cells(
    fields: Fields,
    points: NDArray[np.floating],
    sample_rate: int,
    solver: str = "NR8",
    threads: int | None = None,
) -> NDArray[np.float32]:
    """Magnetisation of every cell under every field.

    All cells share the same fields, so H is stored once, whatever the number of cells. The result takes 4 bytes per
    cell, row and sample; in addition, each thread needs 8 bytes per sample for one row of 16 cells. `cell_blocks`
    splits a grid into parts of bounded size.

    Args:
        fields: Rows, with the magnetisation at which each starts.
        points: Drive, saturation and bias, 0..1, for each cell, or for each cell and row (`with_drives`).
        sample_rate: In Hz.
        solver: As for the device.
        threads: Number of threads; None: one per core.

    Shape:
        points (cells, 3) or (cells, rows, 3) -> (cells, rows, samples).

    Raises:
        ControlError: A setting outside 0..1.
        DeviceError: There is no such solver, or points and fields have different numbers of rows.
    """
    rows, samples = fields.H.shape
    every, starts = _every_point(points, rows), start_magnetisation(fields, points)
    magnetisation = np.empty((len(every), rows, samples), dtype=np.float32)

    def solve(job: tuple[int, int]) -> None:
        row, first = job
        part = slice(first, first + _CELLS_AT_ONCE)
        start = Magnetised(np.zeros(1), np.zeros(1), starts[part, row])
        states, _ = hysteresis_states(fields.H[row], every[part, row], sample_rate, solver, start)
        magnetisation[part, row] = states.M

    jobs = [(row, first) for row in range(rows) for first in range(0, len(every), _CELLS_AT_ONCE)]
    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        for _ in pool.map(solve, jobs):
            pass
    return magnetisation


def start_magnetisation(fields: Fields, points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Magnetisation of every cell before the first sample of every field: a net's own M starts here, with H and H' 0.

    Shape:
        points (cells, 3) or (cells, rows, 3) -> (cells, rows).
    """
    every = _every_point(points, len(fields.H))
    reach = np.empty(every.shape[:2])  # at a low drive, no full-scale field comes near saturation
    for place in np.ndindex(reach.shape):
        tape = tape_at(*every[place])
        reach[place] = tape.Ms * langevin(1.0 / tape.a)[0]
    return np.asarray(reach * fields.starts)


def one_step(
    H: NDArray[np.floating],
    H_1: NDArray[np.floating],
    dH_1: NDArray[np.floating],
    M_1: NDArray[np.floating],
    point: NDArray[np.floating],
    sample_rate: int,
    solver: str = "NR8",
) -> NDArray[np.float64]:
    """The next state of one tape from each of many states, on its trajectories or beside them.

    A net trained from true states only never sees its own errors. With `M_1` from a trajectory plus an error, this
    gives the true answer to such a state.

    Args:
        H: Field.
        H_1: Field one sample earlier.
        dH_1: Derivative of the field one sample earlier, per second.
        M_1: Magnetisation one sample earlier.
        point: Drive, saturation and bias of the tape, 0..1.
        sample_rate: In Hz.
        solver: As for the device.

    Shape:
        H, H_1, dH_1, M_1 (states,), point (3,) -> M (states,).

    Raises:
        ControlError: A setting outside 0..1.
        DeviceError: There is no such solver, or the arrays differ in length or are not finite.
    """
    points = np.broadcast_to(np.asarray(point, dtype=np.float64), (len(H), len(point)))
    start = Magnetised(*(np.asarray(part, dtype=np.float64) for part in (H_1, dH_1, M_1)))
    states, _ = hysteresis_states(np.asarray(H)[:, None], points, sample_rate, solver, start)
    return states.M[:, 0]


def cell_blocks(cells: int, fields: Fields, most_bytes: int) -> Iterator[slice]:
    """Parts of a grid whose magnetisation takes at most this many bytes each; at least one cell per part."""
    at_once = max(1, most_bytes // max(1, _BYTES_PER_SAMPLE * fields.H.size))
    for first in range(0, cells, at_once):
        yield slice(first, min(first + at_once, cells))


def _every_point(points: NDArray[np.floating], rows: int) -> NDArray[np.float64]:
    found = np.asarray(points, dtype=np.float64)
    if found.ndim == 2:
        found = found[:, None]
    controls = len(Hysteresis.controls)
    if found.ndim != 3 or found.shape[1] not in (1, rows) or found.shape[2] != controls or not len(found):
        raise DeviceError(
            "points of the device 'hysteresis'",
            found=f"an array of shape {np.shape(points)}",
            expected=f"(cells, {controls}) or (cells, {rows}, {controls})",
            fix="Give a point for each cell, or for each cell one in every row of the fields.",
        )
    return np.broadcast_to(found, (len(found), rows, controls))
