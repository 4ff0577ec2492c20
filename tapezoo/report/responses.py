"""The picture of one block of a net: a filter's response, or a nonlinearity's curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tapezoo.layers.responses import Response
from tapezoo.report.figures import TARGET, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN_DB = 60.0  # of a magnitude response, below its highest point


def draw_block_response(responses: Sequence[Response], title: str) -> Figure:
    """The lines of one block: level over frequency, or output over input; the first one stands out.

    Args:
        responses: Of one block, at least one, all of one kind.
        title: What is shown.
    """
    figure = new_figure(9, 5.5)
    at = figure.subplots()
    for index, response in enumerate(responses):
        colour, width = (f"C{index - 1}", 1.1) if index else (TARGET, 2.2)
        at.plot(response.x, response.y, label=response.label, color=colour, linewidth=width)
    if responses[0].kind == "magnitude":
        at.set_xscale("log")
        at.set_xlabel("frequency (Hz)")
        at.set_ylabel("gain (dB)")
        top = max(float(response.y.max()) for response in responses)
        lowest = min(float(response.y.min()) for response in responses)
        at.set_ylim(max(lowest, top - SHOWN_DB) - 1.0, top + 1.0)
    else:
        at.set_xlabel("input (full scale = 1)")
        at.set_ylabel("output (full scale = 1)")
    at.set_title(title)
    at.margins(x=0)
    at.grid(alpha=0.3, which="both")
    at.legend(fontsize="small")
    return figure
