"""The picture of a comparison: how fast each model learns, and what quality costs when it plays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import LogLocator, NullFormatter
from matplotlib.transforms import Bbox, Transform

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


class Learned(NamedTuple):
    """One row of a comparison, as it is drawn.

    Args:
        cpu_s: CPU time of the training steps so far, one per validation.
        val_esr: At these times.
        best_esr: Of the best checkpoint.
        real_time_factor: Times real time at the shortest block; None: not measured.
    """

    cpu_s: Sequence[float]
    val_esr: Sequence[float]
    best_esr: float
    real_time_factor: float | None


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Which points no other beats in both ways, by rising speed.

    Args:
        points: (speed, error): fast and small are good. Of equal points the first stays.
    """
    front: list[int] = []
    least = float("inf")
    for number in sorted(range(len(points)), key=lambda at: (-points[at][0], points[at][1], at)):
        if points[number][1] < least:
            least = points[number][1]
            front.append(number)
    return front[::-1]


def comparison(
    rows: Mapping[str, Learned], linear_floor: float, equal_cost_s: float, title: str, block: str
) -> Figure:
    """Left: val_esr over training time. Right: val_esr over the real-time factor, with the Pareto front.

    Args:
        rows: By name, in the order of the legend; those without a real-time factor are missing on the right.
        linear_floor: ESR of the linear filter that fits the training split.
        equal_cost_s: Training time at which the rows are compared.
        title: What is shown.
        block: The block length of the real-time factor, for the label.
    """
    figure = Figure(figsize=(14, 6), layout="constrained")
    figure.suptitle(title, fontsize="medium")
    left, right = figure.subplots(1, 2, sharey=True)
    points: dict[str, Point] = {}
    for number, (name, row) in enumerate(rows.items()):
        colour, style = f"C{number % 10}", STYLES[number // 10 % len(STYLES)]
        # dots: a row with one epoch is seen too
        left.plot(row.cpu_s, row.val_esr, style.line, marker=".", color=colour, linewidth=0.8, alpha=0.25)
        best = np.minimum.accumulate(np.asarray(row.val_esr))
        left.step(row.cpu_s, best, style.line, where="post", color=colour, linewidth=1.4, label=name)
        if row.real_time_factor is not None:
            points[name] = (row.real_time_factor, row.best_esr)
            right.plot(*points[name], style.marker, color=colour)
    measured = list(points.values())
    front = [measured[at] for at in pareto_front(measured)]
    right.plot(*zip(*front, strict=True) if front else ([], []), color=FAINT, linewidth=0.8, linestyle="--")
    right.set_xscale("log")
    for axes in (left, right):
        axes.set_yscale("log")
        axes.axhline(linear_floor, color=FAINT, linewidth=0.8, linestyle=":")
        axes.grid(alpha=0.3, which="both")
        axes.margins(x=0.12 if axes is right else 0.02, y=0.08)
    # the first epochs are the worst of them, and say the least
    left.set_ylim(top=HEADROOM * max([linear_floor, *(row.best_esr for row in rows.values())]))
    right.tick_params(labelleft=True)
    for axis in (left.yaxis, right.xaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())
    left.axvline(equal_cost_s, color=FAINT, linewidth=0.8, linestyle=":")
    right.axvline(1.0, color=FAINT, linewidth=0.8, linestyle=":")
    _say(left, "equal cost", equal_cost_s, 0.99, left.get_xaxis_transform(), rotation=90)
    _say(right, "real time", 1.0, 0.99, right.get_xaxis_transform(), rotation=90)
    _say(right, "linear floor", 0.01, linear_floor, right.get_yaxis_transform(), rotation=0)
    left.set_xlabel("CPU time of the training steps (s); bold: best so far")
    left.set_ylabel("val_esr")
    right.set_xlabel(f"times real time, ONNX on one thread, blocks of {block} (dashed: Pareto front)")
    if rows:
        left.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1.01, 1.0))
    _name_points(figure, right, points)
    return figure


def _say(axes: Axes, text: str, x: float, y: float, transform: Transform, rotation: float) -> None:
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
    figure.draw_without_rendering()  # the layout decides where the points are
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
            text.set_in_layout(False)  # or the layout moves again
            text.get_window_extent()  # finds its place
            box = Text.get_window_extent(text)  # without the line to the point
            whole = axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1 and axes.bbox.y0 <= box.y0
            if place is PLACES[-1] or (whole and not any(box.overlaps(other) for other in taken)):
                taken.append(box)
                break
            text.remove()
