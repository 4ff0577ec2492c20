"""The picture of a model's error over the settings of its controls."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tapezoo.controls import Control
from tapezoo.data.settings import KINDS, Kind, Setting, varying_axes
from tapezoo.measure.setting_scores import SettingScore
from tapezoo.report.controls import control_heading
from tapezoo.report.figures import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

MARKERS: dict[Kind, str] = {"trained": "o", "interpolation": "D", "corner": "s", "extrapolation": "^"}
TRAINED, HELD_OUT = "#4c78a8", "#d62728"
COLOURS = "viridis_r"
PANEL_COLUMNS = 3
MAX_LABELS = 60  # points of a panel; more numbers cannot be read
UNCROWDED = 20  # positions of a control whose marks do not touch
MARGIN = 0.12  # of a panel's range, so that the numbers at its rim stay inside


def draw_settings_map(scored: Sequence[SettingScore], controls: Sequence[Control], title: str) -> Figure:
    """Where a model is good and where not: ESR over the controls that move.

    One control: ESR over it. Two: a map with the value at every point. More: such a map for every pair of
    controls that settings have in common; where several fall onto one point of it, the worst trained and the
    worst held-out one are shown. Settings of the training are blue circles with their value above; held-out
    ones lie over them, with a red rim, another shape for each kind, and their value in red below.

    Args:
        scored: At least one setting; those without an ESR are left out.
        controls: All controls, in the order of the settings.
        title: What is shown.
    """
    from matplotlib.cm import ScalarMappable

    judged = [one for one in scored if one.score.esr >= 0]
    axes = varying_axes([one.setting for one in judged]) or [0]
    panes = {
        pair: points for pair in itertools.combinations(axes, 2) if (points := _worst_of_each(judged, *pair))
    }
    if not panes:
        figure = new_figure(8, 5, title)
        _draw_line(figure.subplots(), judged, axes[0], controls[axes[0]])
    else:
        columns = min(PANEL_COLUMNS, len(panes))
        rows = math.ceil(len(panes) / columns)
        size = 7.0 if len(panes) == 1 else 5.0
        figure = new_figure(1.2 + size * columns, size * rows, title)
        panels: list[Axes] = list(figure.subplots(rows, columns, squeeze=False).flat)
        # one scale for all panels
        norm = _norm([one.score.esr for one in judged])
        for panel, (pair, points) in zip(panels, panes.items(), strict=False):
            _draw_map(panel, points, pair, controls, norm)
        for panel in panels[len(panes) :]:
            panel.set_axis_off()
        figure.colorbar(ScalarMappable(norm, COLOURS), ax=panels, label="ESR")
    return figure


def _draw_line(at: Axes, judged: Sequence[SettingScore], axis: int, control: Control) -> None:
    shown = [one for one in judged if one.setting[axis] is not None]
    ordered = sorted(shown, key=lambda one: _value(control, one, axis))
    at.plot(
        [_value(control, one, axis) for one in ordered],
        [one.score.esr for one in ordered],
        color="grey",
        linewidth=0.8,
        zorder=1,
    )
    for kind in KINDS:
        own = [one for one in ordered if one.kind == kind]
        if own:
            at.scatter(
                [_value(control, one, axis) for one in own],
                [one.score.esr for one in own],
                marker=MARKERS[kind],
                s=70,
                color=TRAINED if kind == "trained" else HELD_OUT,
                label=_name(kind),
                zorder=2,
            )
    if all(one.score.esr > 0 for one in ordered):
        at.set_yscale("log")
    if control.curve == "log":
        at.set_xscale("log")
    at.set_xlabel(control_heading(control))
    at.set_ylabel("ESR")
    at.grid(alpha=0.3, which="both")
    if ordered:
        at.legend()


def _draw_map(
    at: Axes,
    points: Sequence[SettingScore],
    axes: tuple[int, int],
    controls: Sequence[Control],
    norm: LogNorm,
) -> None:
    horizontal, vertical = (controls[axis] for axis in axes)
    crowd = max(len({one.setting[axis] for one in points}) for axis in axes)
    smaller = min(1.0, (UNCROWDED / crowd) ** 2)
    for kind in KINDS:
        own = [one for one in points if one.kind == kind]
        if own:
            at.scatter(
                [_value(horizontal, one, axes[0]) for one in own],
                [_value(vertical, one, axes[1]) for one in own],
                c=[max(one.score.esr, float(norm.vmin or 0)) for one in own],
                norm=norm,
                cmap=COLOURS,
                marker=MARKERS[kind],
                s=smaller * (170 if kind == "trained" else 80),
                edgecolors=TRAINED if kind == "trained" else HELD_OUT,
                linewidths=1.2 if kind == "trained" else 2.0,
                zorder=2 if kind == "trained" else 3,
                label=_name(kind),
            )
    for one in points if len(points) <= MAX_LABELS else ():
        at.annotate(
            f"{one.score.esr:.2g}",
            (_value(horizontal, one, axes[0]), _value(vertical, one, axes[1])),
            textcoords="offset points",
            xytext=(0, 9) if one.kind == "trained" else (0, -9),
            ha="center",
            va="bottom" if one.kind == "trained" else "top",
            color="black" if one.kind == "trained" else HELD_OUT,
            fontsize="small",
        )
    if horizontal.curve == "log":
        at.set_xscale("log")
    if vertical.curve == "log":
        at.set_yscale("log")
    at.margins(MARGIN)
    at.set_xlabel(control_heading(horizontal))
    at.set_ylabel(control_heading(vertical))
    at.grid(alpha=0.3)
    at.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, 1.12), ncols=len(KINDS))


def _worst_of_each(judged: Sequence[SettingScore], first: int, second: int) -> list[SettingScore]:
    """The settings at each point of the plane, trained and held out; those idle on one of its axes are left out."""
    found: dict[tuple[Setting, bool], SettingScore] = {}
    for one in sorted(judged, key=lambda one: one.score.esr):
        point = one.setting[first], one.setting[second]
        if None not in point:
            found[point, one.kind == "trained"] = one
    return list(found.values())


def _norm(esrs: Sequence[float]) -> LogNorm:
    from matplotlib.colors import LogNorm

    positive = [esr for esr in esrs if esr > 0] or [1.0]
    low, high = min(positive), max(positive)
    return LogNorm(low, high if high > low else 2 * low)


def _name(kind: Kind) -> str:
    return kind if kind == "trained" else f"held out: {kind}"


def _value(control: Control, one: SettingScore, axis: int) -> float:
    """In the user's unit; settings where the control is idle are not shown."""
    position = one.setting[axis]
    return math.nan if position is None else control.denormalize(position)
