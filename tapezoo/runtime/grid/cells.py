"""Which points of a grid surround a position, and how much of each it is: multilinear interpolation."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from tapezoo.bundle.grid.index import GridAxis

SAME_POSITION = 1e-6  # a position in single precision is half of 1e-7 off: no reason to run a second corner
Shares = dict[int, NDArray[np.float64]]  # number of a point -> (positions,), over 0 somewhere


def shares(axes: Sequence[GridAxis], path: NDArray[np.float64]) -> Shares:
    """The corners of the cells that a path goes through, and their shares along it.

    At every position the shares are 0 or more and their sum is 1; at a point its own is exactly 1. They are
    continuous: a point that comes or goes does so at a share of 0.

    Args:
        axes: Of the grid; its points are numbered in C order.
        path: (positions, axes), within the axes' first and last positions.

    Returns:
        By number of the point; points with no share anywhere on the path are left out.
    """
    cells, fractions = [], []
    for number, axis in enumerate(axes):
        known = np.array(axis.positions)
        cell = np.clip(np.searchsorted(known, path[:, number], side="right") - 1, 0, len(known) - 2)
        cells.append(cell)
        fractions.append((path[:, number] - known[cell]) / (known[cell + 1] - known[cell]))
    shape = tuple(len(axis.positions) for axis in axes)
    within = all(cell[0] == cell[-1] and (cell == cell[0]).all() for cell in cells)  # one cell, as most often
    found: Shares = {}
    for corner in product((0, 1), repeat=len(axes)):
        share = np.ones(len(path))
        for side, fraction in zip(corner, fractions, strict=True):
            share = share * (fraction if side else 1 - fraction)
        index = [cell + side for cell, side in zip(cells, corner, strict=True)]
        if within and share.any():
            found[int(np.ravel_multi_index([number[0] for number in index], shape))] = share
        if within:
            continue
        points = np.ravel_multi_index(index, shape)
        for point in np.unique(points[share > 0]).tolist():
            there = np.where(points == point, share, 0.0)
            found[point] = found[point] + there if point in found else there
    return dict(sorted(found.items()))


def clamp_to_grid(axes: Sequence[GridAxis], positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """(axes,) positions that the grid can play: outside an axis its nearest end; exactly at a point next to one."""
    result = np.empty(len(axes))
    for number, (axis, position) in enumerate(zip(axes, positions, strict=True)):
        known = np.array(axis.positions)
        nearest = known[np.argmin(np.abs(known - position))]
        inside = np.clip(position, known[0], known[-1])
        result[number] = nearest if abs(nearest - position) < SAME_POSITION else inside
    return result


def distance(axes: Sequence[GridAxis], one: int, other: int) -> float:
    """Between two points, in positions: the sum over the axes."""
    shape = tuple(len(axis.positions) for axis in axes)
    indices = zip(axes, np.unravel_index(one, shape), np.unravel_index(other, shape), strict=True)
    return float(sum(abs(axis.positions[a] - axis.positions[b]) for axis, a, b in indices))
