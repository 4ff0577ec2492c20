"""The picture of a listening test's results."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tapezoo.listening.results import ALL, Results
from tapezoo.listening.scales import QUALITY
from tapezoo.report.figures import OUTPUT, TARGET, new_figure
from tapezoo.report.panel import shown_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW_IN, MARGIN_IN = 0.45, 1.3
SPREAD = 0.16  # of the dots around their row


def draw_panel(results: Results) -> Figure:
    """A row for each system: listeners as dots, the mean with its 95 % confidence interval, the median as a line."""
    names = _names(results)
    figure = new_figure(7.5, MARGIN_IN + ROW_IN * len(names))
    axes = figure.subplots()
    if results.kind == "abx":
        _draw_shares(axes, results)
    else:
        _draw_ratings(axes, results, names)
    axes.set_yticks(range(len(names)), [shown_name(name) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="x", alpha=0.3)
    return figure


def _names(results: Results) -> list[str]:
    if results.kind == "abx":
        return [one.system for one in results.discriminations]
    return [one.system for one in results.scores if one.trial == ALL]


def _draw_ratings(axes: Axes, results: Results, names: list[str]) -> None:
    values: dict[tuple[str, str], list[float]] = {}
    for answer in results.answers:
        values.setdefault((answer.listener, answer.system), []).append(answer.value)
    for row, one in enumerate(score for score in results.scores if score.trial == ALL):
        own = [float(np.mean(values[listener, one.system])) for listener in results.listeners]
        places = row + np.linspace(-SPREAD, SPREAD, len(own))
        axes.plot(
            own, places, "o", color=TARGET, alpha=0.35, markersize=4, label="a listener" if row == 0 else None
        )
        axes.plot(
            [one.median] * 2,
            [row - 0.3, row + 0.3],
            color=TARGET,
            linewidth=2,
            label="median" if row == 0 else None,
        )
        half = 0.0 if one.low is None else one.mean - one.low
        label = "mean, 95 % confidence" if row == 0 else None
        axes.errorbar(one.mean, row, xerr=half, fmt="D", color=OUTPUT, capsize=4, markersize=6, label=label)
    if results.kind == "mushra":
        axes.set_xlim(-1.5, 101.5)
        axes.set_xticks(range(0, 101, 20))
        for number, word in enumerate(QUALITY):
            axes.text(20 * number + 10, -0.55, word, ha="center", va="bottom", fontsize="small", color="0.4")
        axes.set_xlabel("rating (MUSHRA)")
    else:
        axes.set_xlim(0.8, 5.5)
        axes.set_xlabel("degradation, 5: inaudible, 1: very annoying (DMOS)")
    axes.legend(fontsize="small", loc="lower right")  # the best stand at the top


def _draw_shares(axes: Axes, results: Results) -> None:
    for row, one in enumerate(results.discriminations):
        share = one.right / one.asked
        error = [[share - one.low], [one.high - share]]
        label = "right, 95 % confidence" if row == 0 else None
        axes.errorbar(share, row, xerr=error, fmt="D", color=OUTPUT, capsize=4, markersize=6, label=label)
    axes.axvline(0.5, color=TARGET, linestyle="--", linewidth=1, label="guessing")
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("share of right answers (ABX)")
    axes.legend(fontsize="small", loc="lower left")
