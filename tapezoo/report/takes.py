"""What `tapezoo generate` shows: a table of distances, and a picture of recorded and made delays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from tapezoo.report.distances import Figure, distance_table
from tapezoo.report.figures import OUTPUT, TARGET, new_figure
from tapezoo.report.spread import draw_spread
from tapezoo.report.tables import Table
from tapezoo.tape.distances import TakeDistance
from tapezoo.tape.stretches import POINTS_PER_S, Real

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawn

SHOWN_S = 20.0


def take_figures(distance: TakeDistance) -> list[Figure]:
    """What the table shows of one way of making takes."""
    aes6 = "wow and flutter, AES6 weighted (%)"
    return [
        (aes6, distance.made_percent, _recorded(distance.real_percent)),
        ("RMS deviation of the speed, ratio", distance.deviation_ratio, "1"),
        ("level in bands, largest difference (dB)", distance.level_apart_db, "under 1"),
        ("its spread over windows, the same (dB)", distance.spread_apart_db, "under 1"),
        ("distribution of the speed (sigmas)", distance.shape, "under .05"),
        ("autocorrelation, largest difference", distance.correlation, "under .1"),
        ("windows told apart by the nearest", distance.told_apart, ".5"),
        ("distance to the nearest recorded, ratio", distance.copied, "1; copied far below"),
    ]


def take_table(distances: Mapping[str, TakeDistance]) -> Table:
    """The figures of each way of making takes, from the same recorded ones."""
    windows = next(iter(distances.values())).windows
    made = {name: take_figures(distance) for name, distance in distances.items()}
    return distance_table(made, f"{windows} recorded windows")


def draw_take(recorded: Real, made: Real, distance: TakeDistance, title: str) -> Drawn:
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
