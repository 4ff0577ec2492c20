"""What `tapezoo generate` shows: a table of distances, and a picture of recorded and made delays."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tapezoo.report.figures import OUTPUT, TARGET, new_figure
from tapezoo.report.spread import draw_spread
from tapezoo.report.tables import Column, Table
from tapezoo.tape.distances import TakeDistance
from tapezoo.tape.stretches import POINTS_PER_S, Real

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN_S = 20.0
COLUMNS = (
    Column("figure", "made against recorded"),
    Column("value", "", shown=".4g", is_number=True),
    Column("meaning", "if they are alike"),
)


def distance_table(distance: TakeDistance) -> Table:
    """The figures, with what they are where nothing can be told apart."""
    aes6 = "wow and flutter, AES6 weighted (%)"
    rows = [
        (aes6, distance.made_percent, _recorded(distance.real_percent)),
        ("RMS deviation of the speed, ratio", distance.deviation_ratio, "1"),
        ("level in bands, largest difference (dB)", distance.level_apart_db, "under 1"),
        ("its spread over windows, the same (dB)", distance.spread_apart_db, "under 1"),
        ("distribution of the speed (sigmas)", distance.shape, "under .05"),
        ("autocorrelation, largest difference", distance.correlation, "under .1"),
        ("windows told apart by the nearest", distance.told_apart, ".5"),
        ("distance to the nearest recorded, ratio", distance.copied, "1; copied far below"),
    ]
    shown = [(text, None if math.isnan(value) else value, meaning) for text, value, meaning in rows]
    caption = f"{distance.windows} recorded windows; a dash: too few or too short for it"
    return Table(COLUMNS, shown, caption=caption, empty="-")


def draw_take(recorded: Real, made: Real, distance: TakeDistance, title: str) -> Figure:
    """Delay over time of a recorded stretch and of the take, and the spectra of both.

    Args:
        recorded: (points,), s, the longest stretch.
        made: (points,), s.
        distance: Of all that was made from all that was recorded.
        title: What is shown.
    """
    figure = new_figure(9, 8, title)
    first, second, spectrum = figure.subplots(3, 1)
    limit_ms = 1.1e3 * max(float(np.abs(each - each.mean()).max(initial=0.0)) for each in (recorded, made))
    for at, delay, name, colour in ((first, recorded, "recorded", TARGET), (second, made, "made", OUTPUT)):
        _draw_delay(at, delay, name, colour, limit_ms)
    draw_spread(
        spectrum, distance.frequency_hz, distance.real_db, distance.made_db, "level of the speed (dB)"
    )
    spectrum.set_title("in bands: mean over windows of 5 s, and their spread", loc="left", fontsize="medium")
    return figure


def _draw_delay(at: Axes, delay: Real, name: str, colour: str, limit_ms: float) -> None:
    shown = delay[: round(SHOWN_S * POINTS_PER_S)]
    at.plot(
        np.arange(len(shown)) / POINTS_PER_S,
        1e3 * (shown - delay.mean()),
        color=colour,
        linewidth=1.0,
        label=name,
    )
    at.set_xlim(0, SHOWN_S)
    at.set_ylim(-limit_ms, limit_ms)
    at.set_ylabel("delay (ms)")
    at.grid(alpha=0.3)
    at.legend(loc="upper right")


def _recorded(percent: float) -> str:
    return "-" if math.isnan(percent) else f"{percent:.4g} recorded"
