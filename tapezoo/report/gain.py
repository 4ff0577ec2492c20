"""The picture of gains over frequency."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from tapezoo.measure.gain import Gain
from tapezoo.report.figures import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RANGE_DB = 60.0
FEW = 40  # bands


def draw_gains(gains: Mapping[str, tuple[Gain, str]], title: str) -> Figure:
    """One line each over a logarithmic frequency.

    Args:
        gains: Gain and colour, by what they are called.
        title: What is shown.
    """
    figure = new_figure(9, 5, title)
    at = figure.subplots()
    highest = [float(np.max(gain.gain_db, initial=-200.0)) for gain, _ in gains.values()]
    for number, (name, (gain, colour)) in enumerate(gains.items()):
        width = 2.4 if number == 0 else 1.2  # the first is what the others are compared with
        marker = "." if len(gain.frequency_hz) < FEW else ""  # what is left out leaves gaps
        at.plot(gain.frequency_hz, gain.gain_db, color=colour, linewidth=width, marker=marker, label=name)
    top_db = max(highest, default=0.0)
    lowest = [float(np.min(gain.gain_db, initial=top_db)) for gain, _ in gains.values()]
    at.set_ylim(max(min(lowest, default=0.0), top_db - RANGE_DB) - 3, top_db + 3)
    at.set_xscale("log")
    at.set_xlabel("frequency (Hz)")
    at.set_ylabel("gain (dB)")
    at.grid(alpha=0.3, which="both")
    at.legend(loc="best")
    return figure
