"""The picture of harmonics against level."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tapezoo.measure.harmonics import HarmonicLevels
from tapezoo.report.figures import SHADES, TARGET, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LOWEST_DB = -120.0  # re the fundamental: float32 has hardly anything below it


def draw_harmonics(levels: HarmonicLevels, frequency_hz: float, title: str) -> Figure:
    """Second to fifth harmonic below the fundamental, over the level of the input; the machine's dashed.

    Args:
        levels: What was measured.
        frequency_hz: Of the sine, Hz.
        title: What is shown.
    """
    figure = new_figure(8, 5.5)
    at = figure.subplots()
    for number in range(1, levels.output_db.shape[1]):
        shade = SHADES[(number - 1) % len(SHADES)]
        below_db = levels.output_db[:, number] - levels.output_db[:, 0]
        at.plot(levels.input_db, below_db, color=shade, marker=".", label=f"harmonic {number + 1}")
        if levels.target_db is not None:
            wanted_db = levels.target_db[:, number] - levels.target_db[:, 0]
            at.plot(levels.input_db, wanted_db, color=shade, linestyle="--", linewidth=1)
    if levels.target_db is not None:
        at.plot([], [], color=TARGET, linestyle="--", linewidth=1, label="the machine")
    drawn = np.concatenate([np.asarray(line.get_ydata(), dtype=np.float64) for line in at.lines])
    at.set_ylim(
        max(LOWEST_DB, float(np.nanmin(drawn, initial=0.0)) - 3), float(np.nanmax(drawn, initial=-20.0)) + 3
    )
    alone = "" if levels.target_db is not None else "\nthe model alone: no recording has the machine's"
    at.set_title(f"{title}: {frequency_hz:g} Hz sine{alone}")
    at.set_xlabel("input peak (dB re full scale)")
    at.set_ylabel("level (dB re the fundamental)")
    at.grid(alpha=0.3)
    at.legend(loc="best", ncols=2)
    return figure
