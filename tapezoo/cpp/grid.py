"""Nets at the points of a grid as one program: numbers that differ are stored per point, everything else once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from tapezoo.cpp.program import Program, Table

MOST_NUMBERS = 1 << 20  # of all points together, as text: compiling more takes minutes
ALIGNED = 16  # floats: the widest vector


@dataclass(frozen=True)
class GridProgram:
    """The program of every point.

    Args:
        program: The first point's program; its tables state where numbers that differ start in a point's row.
        numbers: The differing numbers of all points, (points, numbers); every table starts at a multiple of `ALIGNED`.
    """

    program: Program
    numbers: NDArray[np.float32]


def join_programs(programs: Sequence[Program], points: int) -> GridProgram | str:
    """The program of a grid, or the reason why there is none.

    Args:
        programs: The points' programs, in order; for a decision in advance, those of some points that differ.
        points: Number of points that the grid will have.
    """
    first = programs[0]
    for program in programs[1:]:
        if found := _difference(first, program):
            return found
    tables: list[Table] = []
    parts: list[NDArray[np.float32]] = []
    used = 0
    for position, table in enumerate(first.tables):
        places: dict[str, int] = {}
        for key in (*table.numbers, *table.tables):
            stacked = np.stack([_row(program.tables[position], key) for program in programs])
            if (stacked == stacked[0]).all():
                continue
            places[key] = used
            parts.append(np.pad(stacked, ((0, 0), (0, -stacked.shape[1] % ALIGNED))))
            used += parts[-1].shape[1]
        tables.append(replace(table, is_told=True, places=places))
    if used * points > MOST_NUMBERS:
        return f"{points} points of {used} numbers each, over {MOST_NUMBERS} altogether"
    nothing = np.zeros((len(programs), ALIGNED), np.float32)
    numbers = np.concatenate(parts, axis=1) if parts else nothing
    return GridProgram(replace(first, tables=tables), numbers)


def _row(table: Table, key: str) -> NDArray[np.float32]:
    values = table.numbers[key] if key in table.numbers else table.tables[key]
    return np.asarray(values, np.float32).reshape(-1)


def _difference(one: Program, other: Program) -> str | None:
    """The difference between two programs other than their numbers, if any."""
    for field in fields(Program):
        if field.name in ("weights", "tables"):
            continue
        if getattr(one, field.name) != getattr(other, field.name):
            return f"other {field.name} at some points than at others"
    for mine, its in zip(one.tables, other.tables, strict=True):
        if (mine.name, mine.sizes) != (its.name, its.sizes):
            return f"other sizes of {mine.name} at some points than at others"
        if list(mine.others) != list(its.others):
            return f"numbers in double precision ({mine.name}) that differ between points"
    return None
