"""The picture of a comparison: how fast each model learns, and what quality costs when it plays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib
from matplotlib.figure import Figure


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


def comparison(rows: Mapping[str, Learned], linear_floor: float, title: str, block: str) -> Figure:
    """Left: val_esr over training time. Right: val_esr over the real-time factor, with the Pareto front.

    Args:
        rows: By name; those without a real-time factor are missing on the right.
        linear_floor: ESR of the best linear filter.
        title: What is shown.
        block: The block length of the real-time factor, for the label.
    """
    figure = Figure(figsize=(13, 5.5), layout="constrained")
    figure.suptitle(title, fontsize="medium")
    left, right = figure.subplots(1, 2, sharey=True)
    colours = matplotlib.colormaps["tab20"].colors  # type: ignore[attr-defined]
    for number, (name, row) in enumerate(rows.items()):
        colour = colours[(2 * number + 2 * number // 20) % 20]
        style = "-" if number < 10 else "--"
        left.plot(row.cpu_s, row.val_esr, style, color=colour, linewidth=1.2, label=name)
        if row.real_time_factor is not None:
            right.plot(row.real_time_factor, row.best_esr, "o", color=colour)
            right.annotate(
                f" {name}", (row.real_time_factor, row.best_esr), fontsize="small", va="bottom", color=colour
            )
    measured = [
        (row.real_time_factor, row.best_esr) for row in rows.values() if row.real_time_factor is not None
    ]
    front = [measured[at] for at in pareto_front(measured)]
    right.plot(*zip(*front, strict=True) if front else ([], []), color="grey", linewidth=0.8, linestyle="--")
    left.set_yscale("log")
    right.set_xscale("log")
    for axes in (left, right):
        axes.axhline(linear_floor, color="grey", linewidth=0.8, linestyle=":")
        axes.grid(alpha=0.3, which="both")
        axes.margins(x=0.12 if axes is right else 0.02)
    place = right.get_yaxis_transform()  # x in widths of the axes
    right.text(
        0.01, linear_floor, "linear floor", transform=place, va="bottom", color="grey", fontsize="small"
    )
    left.set_xlabel("CPU time of the training steps (s)")
    left.set_ylabel("val_esr")
    right.set_xlabel(f"times real time, ONNX on one thread, blocks of {block} (dashed: Pareto front)")
    left.legend(fontsize="small")
    return figure
