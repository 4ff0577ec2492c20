"""The picture of a transfer curve: output over input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tapezoo.measure.transfer import TransferLoop
from tapezoo.report.figures import TARGET, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_transfer_curve(
    loops: Sequence[TransferLoop],
    frequency_hz: float,
    title: str,
    recorded: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
) -> Figure:
    """Output over input for one period of a sine at each level, the target's where there is one.

    Args:
        loops: From `tapezoo.measure.transfer.transfer_loops`.
        frequency_hz: Of the sine, Hz.
        title: What is shown.
        recorded: Input and target of samples of a recording, drawn as points; None: none.
    """
    figure = new_figure(7, 6.5)
    at = figure.subplots()
    if recorded is not None:
        at.plot(
            *recorded, color="#6baed6", marker=".", markersize=2.5, linestyle="none", alpha=0.6, zorder=0,
            label="samples of the recording",
        )  # fmt: skip
    for loop, shade in zip(loops, _shades(len(loops)), strict=True):
        if loop.target is not None:
            at.plot(close_loop(loop.input), close_loop(loop.target), color=TARGET, linewidth=2.5, alpha=0.35)
        at.plot(
            close_loop(loop.input),
            close_loop(loop.output),
            color=shade,
            linewidth=1.4,
            label=f"{loop.level_db:g} dB",
        )
    reach = max((float(np.abs(loop.input).max()) for loop in loops), default=1.0)
    at.plot(
        [-reach, reach], [-reach, reach], color="grey", linewidth=0.8, linestyle=":", label="output = input"
    )
    note = " (grey: target)" if any(loop.target is not None for loop in loops) else ""
    at.set_title(f"{title}: {frequency_hz:g} Hz sine, one period{note}")
    at.set_xlabel("input (full scale = 1)")
    at.set_ylabel("output (full scale = 1)")
    at.grid(alpha=0.3)
    at.legend(title="input peak re full scale", loc="upper left")
    return figure


def close_loop(period: NDArray[np.float64]) -> NDArray[np.float64]:
    """The period, and its first sample again."""
    return np.append(period, period[:1])


def _shades(count: int) -> list[tuple[float, float, float]]:
    """From light to the output's orange to dark, quiet to loud."""
    return [
        (0.99 - 0.4 * at, 0.75 - 0.6 * at, 0.45 - 0.4 * at) for at in np.linspace(0, 1, max(count, 1))[:count]
    ]
