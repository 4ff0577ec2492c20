"""Pictures of blends beside the settings they lie between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from tapezoo.measure.blends import Blend
from tapezoo.measure.roles import Positions
from tapezoo.measure.spectrum import harmonic_levels_db
from tapezoo.report.figures import OUTPUT, SHADES, new_figure
from tapezoo.report.transfer import close_loop

Signal = NDArray[np.float64]  # (samples,), full scale is +-1
Curves = Mapping[Positions, tuple[NDArray[np.float64], NDArray[np.float64]]]  # x and y

PANELS_ACROSS = 4
SHOWN_DB = 80.0
SHOWN_PERIODS = 2


def draw_blend_loops(
    blends: Sequence[Blend],
    input: Signal,
    outputs: Mapping[Positions, Signal],
    names: Mapping[Positions, str],
    title: str,
) -> Figure:
    """Output over input for one period of a sine, one panel per blend, its neighbours in thin lines.

    Args:
        blends: What is shown.
        input: (samples,), whole periods.
        outputs: Of every blend and every neighbour, aligned with the input.
        names: Of the neighbours.
        title: What is shown.
    """
    curves = {positions: (close_loop(input), close_loop(output)) for positions, output in outputs.items()}
    figure = new_figure(*_size(len(blends), 2.9), title)
    ends = [float(input.min()), float(input.max())]
    for at in _draw_panels(
        figure, blends, curves, names, "input (full scale = 1)", "output (full scale = 1)"
    ):
        at.plot(ends, ends, color="grey", linewidth=0.8, linestyle=":", zorder=1)
    return figure


def draw_blend_waveforms(
    blends: Sequence[Blend],
    outputs: Mapping[Positions, Signal],
    names: Mapping[Positions, str],
    frequency_hz: float,
    sample_rate: int,
    title: str,
) -> Figure:
    """Two periods of a periodic sound, at the end of each output; one panel per blend, with its neighbours.

    Args:
        blends: What is shown.
        outputs: Of every blend and every neighbour for one input of this fundamental.
        names: Of the neighbours.
        frequency_hz: The fundamental, Hz.
        sample_rate: Hz.
        title: What is shown.
    """
    samples = round(SHOWN_PERIODS * sample_rate / frequency_hz)
    time_ms = 1000 * np.arange(samples) / sample_rate
    curves = {positions: (time_ms, output[-samples:]) for positions, output in outputs.items()}
    figure = new_figure(*_size(len(blends), 2.4), title)
    for at in _draw_panels(figure, blends, curves, names, "time (ms)", "amplitude (full scale = 1)"):
        at.margins(x=0)
    return figure


def draw_blend_harmonics(
    blends: Sequence[Blend],
    outputs: Mapping[Positions, Signal],
    names: Mapping[Positions, str],
    frequency_hz: float,
    sample_rate: int,
    title: str,
) -> Figure:
    """Levels of the harmonics of a periodic sound, one panel per blend, with its neighbours.

    Args:
        blends: What is shown.
        outputs: Of every blend and every neighbour for one input of this fundamental.
        names: Of the neighbours.
        frequency_hz: The fundamental, Hz.
        sample_rate: Hz.
        title: What is shown.
    """
    levels = {
        positions: harmonic_levels_db(output, frequency_hz, sample_rate)
        for positions, output in outputs.items()
    }
    curves = {positions: (np.arange(1.0, len(level) + 1), level) for positions, level in levels.items()}
    top_db = max((float(level.max()) for level in levels.values()), default=0.0)
    figure = new_figure(*_size(len(blends), 2.4), title)
    for at in _draw_panels(
        figure, blends, curves, names, f"harmonic of {frequency_hz:g} Hz", "level (dB re full scale)"
    ):
        for line in at.lines:
            line.set_marker("o")
            line.set_markersize(1.5 * line.get_linewidth())
        at.set_xscale("log")
        at.set_xticks([1, 2, 3, 5, 10, 20, 40], ["1", "2", "3", "5", "10", "20", "40"], minor=False)
        at.minorticks_off()
        at.set_ylim(top_db - SHOWN_DB, top_db + 4)
    return figure


def _size(count: int, height_in: float) -> tuple[float, float]:
    across = min(PANELS_ACROSS, max(count, 1))
    return max(3.0 * across, 6.0), height_in * -(-count // across) + 1.2


def _draw_panels(
    figure: Figure, blends: Sequence[Blend], curves: Curves, names: Mapping[Positions, str], x: str, y: str
) -> list[Axes]:
    """A panel per blend with its curve over its neighbours'; labels at the rim, and a legend below all."""
    across = min(PANELS_ACROSS, max(len(blends), 1))
    down = -(-len(blends) // across)
    panels: list[Axes] = list(figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).flat)
    shades = {positions: SHADES[number % len(SHADES)] for number, positions in enumerate(names)}
    for number, (at, blend) in enumerate(zip(panels, blends, strict=False)):
        for positions in blend.neighbours:
            at.plot(*curves[positions], color=shades[positions], linewidth=1.1, alpha=0.8)
        at.plot(*curves[blend.positions], color=OUTPUT, linewidth=2.0)
        at.set_title(blend.name.replace("-", "  "), fontsize="medium")
        at.grid(alpha=0.3)
        if number + across >= len(blends):  # no panel below this one
            at.set_xlabel(x)
            at.tick_params(labelbottom=True)
        if number % across == 0:
            at.set_ylabel(y)
    for at in panels[len(blends) :]:
        at.set_visible(False)
    lines = [Line2D([], [], color=OUTPUT, linewidth=2.0, label="blend")]
    lines += [
        Line2D([], [], color=shades[positions], linewidth=1.4, label=name)
        for positions, name in names.items()
    ]
    figure.legend(handles=lines, loc="outside lower center", ncols=min(len(lines), 6), frameon=False)
    return panels[: len(blends)]
