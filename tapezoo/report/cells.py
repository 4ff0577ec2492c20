"""How well each net of a table was fitted, for people."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from tapezoo.measure.cells import CellErrors
from tapezoo.report.controls import control_heading
from tapezoo.report.figures import new_figure
from tapezoo.report.tables import Cell, Column, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = "viridis_r"
NAMED = 3  # cells that the text names


def cells_text(errors: CellErrors) -> str:
    """How many cells are fitted, their errors, and which cells are far worse than the others."""
    done = errors.done
    text = f"{len(done)} of {errors.missed.size} cells fitted"
    if not len(done):
        return text
    text += (
        f"; they missed {np.median(done):.3g} of the energy of their rows (median), {done.max():.3g} (worst)"
    )
    if found := errors.far_off():
        named = "; ".join(f"{errors.place(cell)} ({errors.missed[cell]:.3g})" for cell in found[:NAMED])
        text += f"; {len(found)} with much larger errors: {named}" + (", ..." if len(found) > NAMED else "")
    return text


def cells_table(errors: CellErrors) -> Table:
    """A row for every cell."""
    columns = [
        *(Column(control.name, control.name, is_number=True) for control in errors.controls),
        Column("missed", "missed", ".5f", is_number=True),
    ]
    rows: list[list[Cell]] = []
    for cell in np.ndindex(*errors.missed.shape):
        missed = float(errors.missed[cell])
        place = [errors.values(axis)[step] for axis, step in enumerate(cell)]
        rows.append([*place, missed if np.isfinite(missed) else None])
    return Table(columns, rows)


def draw_cells(errors: CellErrors) -> Figure:
    """A line over one axis, a map over two; over more, of each pair of axes the worst cell."""
    from matplotlib.colors import LogNorm

    done, shape = errors.done, errors.missed.shape
    title = "share of its rows' energy that each net missed"
    if len(shape) == 1:
        figure = new_figure(8, 5, title)
        panel = figure.subplots()
        panel.semilogy(errors.values(0), np.where(np.isfinite(errors.missed), errors.missed, np.nan), "o-")
        panel.set_xlabel(control_heading(errors.controls[0]))
        return figure
    pairs = list(itertools.combinations(range(len(shape)), 2))
    figure = new_figure(1.0 + 6.0 * len(pairs), 5.0, title)
    low, high = (float(done.min()), float(done.max())) if len(done) else (0.1, 1.0)
    norm = LogNorm(max(low, 1e-12), max(high, 1.01 * low, 2e-12))
    for panel, (down, across) in zip(figure.subplots(1, len(pairs), squeeze=False)[0], pairs, strict=True):
        others = tuple(axis for axis in range(len(shape)) if axis not in (down, across))
        known = np.where(np.isfinite(errors.missed), errors.missed, -1.0)
        worst = known.max(axis=others) if others else known
        mesh = panel.pcolormesh(
            errors.values(across),
            errors.values(down),
            np.ma.masked_less(worst, 0.0),
            norm=norm,
            cmap=COLOURS,
            shading="nearest",
        )
        panel.set_xlabel(control_heading(errors.controls[across]))
        panel.set_ylabel(control_heading(errors.controls[down]))
        figure.colorbar(mesh, ax=panel)
    return figure
