"""Levels over frequency with their spread, of what was recorded and of what was made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tapezoo.report.figures import OUTPUT, TARGET

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Levels = NDArray[np.float64]  # (2, bands): mean and spread, dB


def draw_spread(at: Axes, frequency_hz: Levels, recorded: Levels, made: Levels, what: str) -> None:
    """A line and a band around it for each.

    Args:
        at: Where.
        frequency_hz: (bands,), Hz.
        recorded: (2, bands), dB.
        made: (2, bands), dB.
        what: Of the vertical axis.
    """
    for (mean, spread), name, colour in ((recorded, "recorded", TARGET), (made, "made", OUTPUT)):
        at.plot(frequency_hz, mean, color=colour, marker=".", label=name)
        at.fill_between(frequency_hz, mean - spread, mean + spread, color=colour, alpha=0.2)
    at.set_xscale("log")
    at.set_xlabel("frequency (Hz)")
    at.set_ylabel(what)
    at.grid(alpha=0.3, which="both")
    at.legend()
