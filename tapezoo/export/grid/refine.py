"""Where a grid needs more points: the largest error between points decides, one value of one axis at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod

from tapezoo.bundle.grid.index import GridAxis
from tapezoo.controls import Control
from tapezoo.export.grid.sample import Place

Errors = Callable[[Sequence[GridAxis], Sequence[Place]], list[float]]
"""(axes of the grid as it stands, places) -> the grid's ESR there; infinite where it does not play."""


@dataclass(frozen=True)
class Cell:
    """The error in the middle between neighbouring points; `index` is the lowest of them, on each axis."""

    index: tuple[int, ...]
    middle: Place
    esr: float


def measure_cells(axes: Sequence[GridAxis], errors: Errors) -> list[Cell]:
    """Every cell of a grid, the largest error first."""
    middles = {}
    for index in product(*(range(len(axis.positions) - 1) for axis in axes)):
        middles[index] = tuple(_middle_of(axis, step) for axis, step in zip(axes, index, strict=True))
    found = errors(axes, list(middles.values()))
    cells = [Cell(index, middle, esr) for (index, middle), esr in zip(middles.items(), found, strict=True)]
    return sorted(cells, key=lambda cell: -cell.esr)


def refine_axes(
    axes: Sequence[GridAxis],
    controls: Mapping[str, Control],
    errors: Errors,
    max_error: float,
    max_points: int,
    progress: Callable[[str], None],
) -> tuple[tuple[GridAxis, ...], list[Cell]]:
    """Halves the worst cell until no cell's error is over `max_error`, or one more value would pass `max_points`.

    A cell is halved along the axis with the largest error in the middle of its edges; the new value holds for the
    whole grid. It lies halfway in position, so evenly in ratios for a control with a log curve.

    Args:
        axes: To begin with.
        controls: By name.
        errors: Measures places of a grid.
        max_error: ESR.
        max_points: Of the result.
        progress: Told of each step.

    Returns:
        The axes, and their cells, the largest error first.
    """
    grid = tuple(axes)
    while True:
        cells = measure_cells(grid, errors)
        worst = cells[0]
        points = prod(len(axis.positions) for axis in grid)
        if worst.esr <= max_error:
            return grid, cells
        possible = [
            number for number, axis in enumerate(grid) if points + points // len(axis.positions) <= max_points
        ]
        if not possible:
            return grid, cells
        along = {number: max(errors(grid, _edge_middles(grid, worst, number))) for number in possible}
        number = max(possible, key=lambda axis: along[axis])
        position = worst.middle[number]
        if position in grid[number].positions:  # the neighbours are adjacent floating-point numbers
            return grid, cells
        control = controls[grid[number].control]
        progress(
            f"grid of {points} points: largest ESR {worst.esr:.2g}, asked for {max_error:g}; "
            f"adding {control.name} = {control.shown(position)}"
        )
        grid = tuple(
            _insert_position(axis, position, control) if axis.control == control.name else axis
            for axis in grid
        )


def _edge_middles(axes: Sequence[GridAxis], cell: Cell, along: int) -> list[Place]:
    """The middles of a cell's edges along one axis: where only that axis is between points."""
    sides = [
        (cell.middle[number],)
        if number == along
        else (axis.positions[cell.index[number]], axis.positions[cell.index[number] + 1])
        for number, axis in enumerate(axes)
    ]
    return list(product(*sides))


def _insert_position(axis: GridAxis, position: float, control: Control) -> GridAxis:
    known = dict(zip(axis.positions, axis.values, strict=True))
    known[position] = control.denormalize(position)
    positions = tuple(sorted(known))
    return replace(axis, positions=positions, values=tuple(known[found] for found in positions))


def _middle_of(axis: GridAxis, step: int) -> float:
    low, high = axis.positions[step : step + 2]
    return low + (high - low) / 2
