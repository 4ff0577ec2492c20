"""The picture of a comparison: how fast each model learns, and its error against its speed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import LogLocator, NullFormatter
from matplotlib.transforms import Bbox, Transform

from tapezoo.measure.comparison import ComparisonRow, equal_cost_s, pareto_front
from tapezoo.report.comparison import SHORT
from tapezoo.report.figures import arrange, new_figure

Point = tuple[float, float]


class Style(NamedTuple):
    """How ten rows of different colours are drawn."""

    line: str
    marker: str


class Place(NamedTuple):
    """Where a name may stand, from its point, in typographic points."""

    x: float
    y: float
    ha: Literal["left", "center", "right"]
    va: Literal["bottom", "center", "top"]


STYLES = (Style("-", "o"), Style("--", "s"), Style(":", "^"))
FAINT = "grey"
HEADROOM = 4.0  # top of the axis over the worst result
MARKER_PIXELS = 10.0
FAR = 12.0  # typographic points; from there on a line leads from the name to its point
# in the order of preference
PLACES = (
    Place(6, 0, "left", "center"),
    Place(-6, 0, "right", "center"),
    Place(0, 7, "center", "bottom"),
    Place(0, -7, "center", "top"),
    *(
        Place(side * distance, height * distance, "left" if side > 0 else "right", "center")
        for distance in (14, 24, 34, 44, 54)
        for height in (1, -1)
        for side in (1, -1)
    ),
)


def draw_comparison(rows: Sequence[ComparisonRow], linear_floor: float, title: str) -> Figure:
    """Left: val_esr over training time. Right: val_esr over the real-time factor, with the Pareto front.

    Args:
        rows: In the order of the legend; those without figures are missing, those without a real-time factor on
            the right.
        linear_floor: ESR of the linear filter that fits the training split.
        title: What is shown.
    """
    figure = new_figure(14, 6, title, fontsize="medium")
    left, right = figure.subplots(1, 2, sharey=True)
    points: dict[str, Point] = {}
    best = [linear_floor]
    finished = [(row, row.outcome.figures) for row in rows if row.outcome.figures is not None]
    for number, (row, figures) in enumerate(finished):
        colour, style = f"C{number % 10}", STYLES[number // 10 % len(STYLES)]
        cpu_s, val_esr = [one.cpu_s for one in row.learning], [one.val_esr for one in row.learning]
        # dots: a row with one epoch is seen too
        left.plot(cpu_s, val_esr, style.line, marker=".", color=colour, linewidth=0.8, alpha=0.25)
        lowest = np.minimum.accumulate(np.asarray(val_esr))
        left.step(cpu_s, lowest, style.line, where="post", color=colour, linewidth=1.4, label=row.name)
        best.append(figures.val_esr)
        factor, _ = figures.shortest_and_longest_block()
        if factor is not None:
            points[row.name] = (factor, figures.val_esr)
            right.plot(*points[row.name], style.marker, color=colour)
    measured = list(points.values())
    front = [measured[at] for at in pareto_front(measured)]
    right.plot(*zip(*front, strict=True) if front else ([], []), color=FAINT, linewidth=0.8, linestyle="--")
    for axes in (left, right):
        axes.axhline(linear_floor, color=FAINT, linewidth=0.8, linestyle=":")
    # the first epochs are the worst of them, and say the least
    _set_scales(left, right, HEADROOM * max(best))
    left.axvline(equal_cost_s(rows), color=FAINT, linewidth=0.8, linestyle=":")
    right.axvline(1.0, color=FAINT, linewidth=0.8, linestyle=":")
    _label_line(left, "equal cost", equal_cost_s(rows), 0.99, left.get_xaxis_transform(), rotation=90)
    _label_line(right, "real time", 1.0, 0.99, right.get_xaxis_transform(), rotation=90)
    _label_line(right, "linear floor", 0.01, linear_floor, right.get_yaxis_transform(), rotation=0)
    left.set_xlabel("CPU time of the training steps (s); bold: best so far")
    left.set_ylabel("val_esr")
    right.set_xlabel(f"times real time, ONNX on one thread, blocks of {SHORT} (dashed: Pareto front)")
    if finished:
        left.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1.01, 1.0))
    _name_points(figure, right, points)
    return figure


def _set_scales(left: Axes, right: Axes, top_esr: float) -> None:
    right.set_xscale("log")
    for axes in (left, right):
        axes.set_yscale("log")
        axes.grid(alpha=0.3, which="both")
        axes.margins(x=0.12 if axes is right else 0.02, y=0.08)
    left.set_ylim(top=top_esr)
    right.tick_params(labelleft=True)
    for axis in (left.yaxis, right.xaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())


def _label_line(axes: Axes, text: str, x: float, y: float, transform: Transform, rotation: float) -> None:
    """What a line means, beside it."""
    upright = rotation != 0
    axes.text(
        x,
        y,
        text,
        transform=transform,
        rotation=rotation,
        ha="right" if upright else "left",
        va="top" if upright else "bottom",
        color=FAINT,
        fontsize="small",
    )


def _name_points(figure: Figure, axes: Axes, points: Mapping[str, Point]) -> None:
    """A name beside each point, where neither another name nor a point is."""
    arrange(figure)  # decides where the points are
    half = MARKER_PIXELS / 2
    taken = []
    for point in points.values():
        x, y = axes.transData.transform(point)
        taken.append(Bbox.from_extents(x - half, y - half, x + half, y + half))
    for name, point in sorted(points.items(), key=lambda item: item[1][1]):
        for place in PLACES:
            far = abs(place.x) + abs(place.y) > FAR
            text = axes.annotate(
                name,
                point,
                (place.x, place.y),
                textcoords="offset points",
                ha=place.ha,
                va=place.va,
                fontsize="small",
                arrowprops={"arrowstyle": "-", "color": FAINT, "linewidth": 0.6} if far else None,
            )
            text.get_window_extent()  # finds its place
            box = Text.get_window_extent(text)  # without the line to the point
            whole = axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1 and axes.bbox.y0 <= box.y0
            if place is PLACES[-1] or (whole and not any(box.overlaps(other) for other in taken)):
                taken.append(box)
                break
            text.remove()
