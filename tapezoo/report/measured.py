"""Tables and pictures of what was measured of one machine, or of two side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tapezoo.measure.captured import Captured
from tapezoo.measure.machine.figures import REFERENCE_HZ, SILENCE, Figure
from tapezoo.measure.machine.measured import Measured
from tapezoo.report.figures import OUTPUT, SHADES, TARGET, new_figure
from tapezoo.report.tables import Cell, Column, Table
from tapezoo.report.transfer import close_loop

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

SHOWN_HARMONICS = 5
LOWEST_DB = -120.0
MOST_WHOLE = 1e7  # more digits than this say nothing: a model that blew up has thirty


def figures_table(names: Sequence[str], figures: Sequence[Sequence[Figure]]) -> Table:
    """A row per figure, a column per machine; where there is none the reason, or a dash.

    Args:
        names: Of the machines.
        figures: Of each.
    """
    every = {figure.key: figure for own in figures for figure in own}
    found = [{figure.key: figure for figure in own} for own in figures]
    columns = [
        Column("measure", ""),
        *(Column(name, name.replace(",", ",\n"), is_number=True) for name in names),
        Column("unit", "unit"),
    ]
    rows = [
        [figure.text, *(_cell(own.get(key)) for own in found), figure.unit] for key, figure in every.items()
    ]
    return Table(columns, rows, empty="-")


def figures_csv(names: Sequence[str], figures: Sequence[Sequence[Figure]]) -> Table:
    """The same for programs, with every digit."""
    every = {figure.key: figure for own in figures for figure in own}
    found = [{figure.key: figure.value for figure in own} for own in figures]
    columns = [Column("figure"), *(Column(name) for name in names), Column("unit")]
    rows: list[list[Cell]] = [
        [key, *(_number(own.get(key, math.nan)) for own in found), figure.unit]
        for key, figure in every.items()
    ]
    return Table(columns, rows)


def captured_pictures(captured: Sequence[Captured]) -> dict[str, Callable[[], Picture]]:
    """As `pictures`, of the test signals of an excitation."""
    return {
        "response": lambda: _draw_response(captured),
        "harmonics": lambda: _draw_harmonics(captured),
        "noise": lambda: _draw_noise(captured),
    }


def pictures(machines: Sequence[Measured]) -> dict[str, Callable[[], Picture]]:
    """File names without suffix, and what draws them; the second machine is dashed."""
    return {
        "response": lambda: _draw_response(machines),
        "harmonics": lambda: _draw_harmonics(machines),
        "loops": lambda: _draw_loops(machines),
        "dynamics": lambda: _draw_dynamics(machines),
        "noise": lambda: _draw_noise(machines),
    }


def _draw_response(machines: Sequence[Measured | Captured]) -> Picture:
    figure = new_figure(9, 7, f"Response to a sweep at {machines[0].response.level_db:g} dB")
    gain, delay = figure.subplots(2, 1, sharex=True)
    for machine, style in zip(machines, _styles(), strict=False):
        response = machine.response
        gain.semilogx(response.frequency_hz, response.gain_db, label=machine.name, **style)
        delay.semilogx(response.frequency_hz, response.group_delay_ms, **style)
    top = max(float(machine.response.gain_db.max()) for machine in machines)
    low = min(float(machine.response.gain_db.min()) for machine in machines)
    gain.set_ylim(max(low, top - 60) - 1, top + 1)
    gain.set_ylabel("gain (dB)")
    delay.set_ylabel("group delay (ms)")
    _finish(gain)
    _finish(delay, "frequency (Hz)", legend=False)
    return figure


def _draw_harmonics(machines: Sequence[Measured | Captured]) -> Picture:
    figure = new_figure(9, 6, f"Harmonics of a {REFERENCE_HZ:g} Hz sine")
    at = figure.subplots()
    for machine, style in zip(machines, _styles(), strict=False):
        row = int(np.argmin(np.abs(machine.distortion.frequency_hz - REFERENCE_HZ)))
        levels = machine.distortion.harmonic_db[row]
        for number in range(2, SHOWN_HARMONICS + 1):
            below_db = np.maximum(levels[:, number - 1] - levels[:, 0], LOWEST_DB)
            shade = SHADES[number - 2]
            at.plot(
                machine.distortion.level_db,
                below_db,
                color=shade,
                linestyle=style["linestyle"],
                marker=".",
                label=f"{number}, {machine.name}",
            )
    at.set_ylabel("level (dB re the fundamental)")
    _finish(at, "peak of the input (dB re full scale)")
    return figure


def _draw_loops(machines: Sequence[Measured]) -> Picture:
    figure = new_figure(7, 6.5, f"Output over input, one period of {machines[0].loops.frequency_hz:.0f} Hz")
    at = figure.subplots()
    for machine, style in zip(machines, _styles(), strict=False):
        for number, (input, output) in enumerate(zip(machine.loops.input, machine.loops.output, strict=True)):
            label = machine.name if not number else None
            at.plot(close_loop(input), close_loop(output), label=label, **style)
    at.set_ylabel("output (full scale = 1)")
    _finish(at, "input (full scale = 1)")
    return figure


def _draw_dynamics(machines: Sequence[Measured]) -> Picture:
    figure = new_figure(9, 5, "Gain of a 1 kHz tone that goes from -30 to -6 dB and back")
    at = figure.subplots()
    for machine, style in zip(machines, _styles(), strict=False):
        at.plot(machine.dynamics.time_s, machine.dynamics.gain_db, label=machine.name, **style)
    at.set_ylabel("gain (dB)")
    _finish(at, "time after the tone becomes loud (s)")
    return figure


def _draw_noise(machines: Sequence[Measured | Captured]) -> Picture:
    figure = new_figure(9, 5, "Noise when nothing comes in")
    at = figure.subplots()
    for machine, style in zip(machines, _styles(), strict=False):
        shown = machine.noise.frequency_hz >= 20
        at.semilogx(
            machine.noise.frequency_hz[shown],
            np.maximum(machine.noise.density_db[shown], -220),
            label=f"{machine.name}: {_level_text(machine.noise.level_db)}",
            **style,
        )
    at.set_ylabel("density (dB re full scale, per Hz)")
    _finish(at, "frequency (Hz)")
    return figure


def _level_text(level_db: float) -> str:
    return f"{level_db:.1f} dB" if math.isfinite(level_db) else SILENCE


def _styles() -> list[dict[str, Any]]:
    return [{"color": OUTPUT, "linestyle": "-"}, {"color": TARGET, "linestyle": "--"}]


def _finish(at: Axes, x: str = "", legend: bool = True) -> None:
    if x:
        at.set_xlabel(x)
    at.grid(alpha=0.3, which="both")
    at.margins(x=0)
    if legend:
        at.legend(fontsize="small")


def _cell(figure: Figure | None) -> str | None:
    if figure is None:
        return None
    if not math.isfinite(figure.value):
        return figure.missing or None
    if abs(figure.value) >= MOST_WHOLE:
        return f"{figure.value:.3g}"
    shown = f"{figure.value:.{figure.decimals}f}"
    return shown.removeprefix("-") if float(shown) == 0 else shown


def _number(value: float) -> Cell:
    return value if math.isfinite(value) else None
