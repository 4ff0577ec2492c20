"""The picture of a model's delay against its machine over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from tapezoo.measure.lateness import Lateness
from tapezoo.report.figures import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEAST_RANGE_SAMPLES = 0.5  # of the axis: differences below a tenth of a sample are no news


def draw_lateness(excerpts: Mapping[str, Lateness], title: str) -> Figure:
    """A line per excerpt over the time in it.

    Args:
        excerpts: By name.
        title: What is shown.
    """
    figure = new_figure(9, 4, title)
    at = figure.subplots()
    for name, one in excerpts.items():
        at.plot(
            one.time_s - one.start_s, one.late_samples, marker=".", markersize=3, linewidth=1.2, label=name
        )
    found = np.concatenate([one.late_samples for one in excerpts.values()])
    most = float(np.nanmax(np.abs(found), initial=0.0, where=~np.isnan(found)))
    limit = max(1.1 * most, LEAST_RANGE_SAMPLES)
    at.set_ylim(-limit, limit)
    at.set_xlabel("time in the excerpt (s)")
    at.set_ylabel("output later than target (samples)")
    at.grid(alpha=0.3)
    at.legend(loc="best", fontsize="small")
    return figure
