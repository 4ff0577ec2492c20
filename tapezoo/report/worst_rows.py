"""A table that is too long for a terminal: its worst rows, and the median of all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tapezoo.report.tables import Cell, Table

MOST_ROWS = 64  # more, and nobody reads them
WORST_ROWS = 16


def worst_rows(table: Table, name: str, file_name: str) -> Table:
    """The table itself, or of one of more than 64 rows the 16 that are highest in a column, highest first.

    Args:
        table: Its last `sums` rows stay.
        name: Of the column; rows without a number there are not among the worst.
        file_name: Where all rows are.
    """
    count = len(table.rows) - table.sums
    if count <= MOST_ROWS:
        return table
    at = next(number for number, column in enumerate(table.columns) if column.name == name)
    figures = np.array([_figure(row[at]) for row in table.rows[:count]])
    # numpy sorts NaN to the end
    worst = [table.rows[number] for number in np.argsort(-figures, kind="stable")[:WORST_ROWS]]
    known = figures[~np.isnan(figures)]
    middle = f"median of all: {np.median(known):.5f}; " if known.size else ""
    return replace(
        table,
        rows=[*worst, *table.rows[count:]],
        title=f"{table.title}: the {WORST_ROWS} worst of {count}",
        caption=f"{table.caption}\n{middle}all are in {file_name}".lstrip(),
    )


def _figure(cell: Cell) -> float:
    return float(cell) if isinstance(cell, int | float) else np.nan
