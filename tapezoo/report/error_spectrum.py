"""The picture of the error over frequency, beside target and noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapezoo.measure.error_spectrum import ErrorSpectrum
from tapezoo.report.figures import ERROR, INPUT, TARGET, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_error_spectrum(spectrum: ErrorSpectrum, title: str) -> Figure:
    """Levels of target, error and quietest target in third octaves.

    Args:
        spectrum: What was measured.
        title: What is shown.
    """
    figure = new_figure(9, 5, title)
    at = figure.subplots()
    lines = {
        "target, in the excerpts": (spectrum.target_db, TARGET, "-"),
        "error, in the excerpts": (spectrum.error_db, ERROR, "-"),
        "target, where the split is quietest": (spectrum.quiet_db, INPUT, "--"),
    }
    for name, (levels, colour, style) in lines.items():
        if levels is not None:
            at.plot(spectrum.frequency_hz, levels, style, color=colour, marker=".", linewidth=1.4, label=name)
    at.set_xscale("log")
    at.set_xlabel("frequency (Hz)")
    at.set_ylabel("RMS in third octaves (dB re full scale)")
    at.grid(alpha=0.3, which="both")
    at.legend(loc="best")
    return figure
