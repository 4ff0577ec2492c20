"""The learning curve of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tapezoo.report.figures import ERROR, OUTPUT, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_learning_curve(
    updates: Sequence[int], val_esr: Sequence[float], linear_floor: float | None, title: str
) -> Figure:
    """Validation error over updates, the lowest marked, and the linear floor as a line.

    Args:
        updates: Optimizer steps at each validation.
        val_esr: Error energy over target energy; what is not over 0 or no number is left out.
        linear_floor: The same of the best linear filter; None: not known.
        title: What is shown.
    """
    figure = new_figure(8, 5, title)
    at = figure.subplots()
    values = np.asarray(val_esr, dtype=np.float64)
    shown = np.isfinite(values) & (values > 0)
    steps, values = np.asarray(updates, dtype=np.float64)[shown], values[shown]
    at.plot(steps, values, color=OUTPUT, marker=".", markersize=4, linewidth=1.2, label="val_esr")
    if len(values):
        best = int(np.argmin(values))
        at.plot(
            steps[best], values[best], color="black", marker="o", linestyle="none",
            label=f"lowest: {values[best]:.2g} after {steps[best]:,.0f} updates",
        )  # fmt: skip
    if linear_floor is not None and np.isfinite(linear_floor) and linear_floor > 0:
        at.axhline(
            linear_floor,
            color=ERROR,
            linestyle="--",
            linewidth=1,
            label=f"best linear filter: {linear_floor:.2g}",
        )
    at.set_xlim(left=0)
    at.set_yscale("log")
    at.set_xlabel("updates")
    at.set_ylabel("error energy / target energy")
    at.grid(alpha=0.3, which="both")
    at.legend(loc="upper right")
    return figure
