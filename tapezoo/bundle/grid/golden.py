"""grid/golden.npz: what a grid plays at some of its points and between them.

A case is a mix of points: their numbers, and their shares, which sum to 1. Its expected output is that of the net
the grid was made from, held there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tapezoo.bundle.arrays import read_arrays, write_arrays
from tapezoo.bundle.errors import BundleError
from tapezoo.bundle.grid.index import GridIndex
from tapezoo.bundle.grid.tensors import Tensors, check_there
from tapezoo.bundle.limits import CASE_LIMIT, GOLDEN_LIMIT_SAMPLES
from tapezoo.bundle.play import Audio

GOLDEN = "grid/golden.npz"
_NAMES = ("input", "points", "shares", "output", "tolerance")


@dataclass(frozen=True)
class GridCase:
    """The expected output at one place.

    Args:
        points: Numbers of the points that surround it; one at a point.
        shares: Of each.
        output: Expected, (samples,).
        tolerance: How far a player may be from it, sample value.
    """

    points: tuple[int, ...]
    shares: tuple[float, ...]
    output: Audio
    tolerance: float


def write_grid_golden(root: Path, input: Audio, cases: Sequence[GridCase]) -> None:
    """Writes what verifying replays: all cases play `input` (samples,), from rest."""
    corners = max(len(case.points) for case in cases)
    points = np.zeros((len(cases), corners), np.int64)
    shares = np.zeros((len(cases), corners))
    for row, case in enumerate(cases):
        points[row, : len(case.points)] = case.points
        shares[row, : len(case.points)] = case.shares
    arrays: Tensors = {
        "input": np.asarray(input, np.float32),
        "points": points,
        "shares": shares,
        "output": np.stack([case.output for case in cases]).astype(np.float32),
        "tolerance": np.array([case.tolerance for case in cases]),
    }
    write_arrays(root / GOLDEN, arrays)


def read_grid_golden(root: Path, index: GridIndex) -> tuple[Audio, list[GridCase]]:
    """The input, (samples,), and the cases.

    Raises:
        BundleError: There is none. Arrays that do not fit the index or each other.
    """
    check_there(root, GOLDEN)
    arrays = read_arrays(root, GOLDEN, _NAMES, 4 * GOLDEN_LIMIT_SAMPLES)
    input, points, shares, output, tolerance = (arrays[name] for name in _NAMES)
    cases = len(points)
    fits = (
        [array.dtype.name for array in arrays.values()]
        == ["float32", "int64", "float64", "float32", "float64"]
        and input.ndim == 1
        and points.ndim == 2
        and points.shape == shares.shape
        and points.shape[1] <= 1 << len(index.axes)
        and output.shape == (cases, len(input))
        and tolerance.shape == (cases,)
        and 1 <= cases <= CASE_LIMIT
        and bool(((points >= 0) & (points < len(index.points))).all())
        and all(bool(np.isfinite(array).all()) for array in arrays.values())
        and bool(np.allclose(shares.sum(axis=1), 1) and (shares >= 0).all())
    )
    if not fits:
        shapes = ", ".join(f"{name} {array.dtype} {array.shape}" for name, array in arrays.items())
        raise BundleError.about(root, GOLDEN, shapes, "arrays that fit the grid, and finite numbers")
    found = []
    for row in range(cases):
        some = shares[row] > 0
        numbers, parts = tuple(points[row][some].tolist()), tuple(shares[row][some].tolist())
        found.append(GridCase(numbers, parts, output[row], float(tolerance[row])))
    return input, found
