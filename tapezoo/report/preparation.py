"""What `tapezoo prepare` shows: lines for the screen, and pictures of delays and levels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from tapezoo.data.align.trajectory import DelayTrajectory
from tapezoo.recordings.levels import LOWEST_DB, STEP_DB
from tapezoo.recordings.preparation import PairReport, Preparation
from tapezoo.report.figures import ERROR, INPUT, OUTPUT, TARGET, new_figure, write_png

LEVELS_PNG = "levels.png"
MARKS = {"refused": "-", "limits": "!", "corrected": "+", "note": " "}
SHOWN_POINTS = 6000  # of a trajectory: more than the picture has dots


def preparation_lines(preparation: Preparation) -> Iterator[str]:
    """All remarks, pair by pair, and the verdict; `+` was corrected, `!` limits, `-` is refused."""
    for pair in preparation.pairs:
        yield f"{pair.recording.name}: {pair.verdict}"
        for remark in pair.remarks:
            yield f"  {MARKS[remark.effect]} {remark.full}"
    count = len(preparation.pairs)
    which = "1 recording" if count == 1 else f"all {count} recordings"
    yield f"{which} at {preparation.sample_rate} Hz"
    for remark in preparation.remarks:
        yield f"  {MARKS[remark.effect]} {remark.full}"
    reasons = preparation.reasons()
    if not reasons:
        yield f"verdict: {preparation.verdict}"
        return
    yield f"verdict: {preparation.verdict}, because"
    for reason in reasons:
        yield f"  {reason}"


def draw_preparation(preparation: Preparation, folder: Path) -> list[Path]:
    """Writes the levels of all pairs, and a picture for each trajectory.

    Raises:
        UnwritableOutputError: The disk is full.
    """
    written = [write_png(draw_levels(preparation), folder / LEVELS_PNG)]
    for pair in preparation.pairs:
        for files in pair.files:
            trajectory = pair.laying.trajectories[files.channels[0]] if pair.laying else None
            if files.delay is not None and trajectory is not None:
                figure = draw_delay(trajectory, f"{pair.recording.name}: delay left after the constant part")
                written.append(write_png(figure, (folder / files.delay).with_suffix(".png")))
    return written


def draw_levels(preparation: Preparation) -> Figure:
    """The levels that dry has, pair by pair: a model cannot learn levels that are missing."""
    pairs = [pair for pair in preparation.pairs if pair.channels]
    figure = new_figure(9, 2.2 + 0.45 * len(pairs), "Levels of dry: share of blocks of 60 ms")
    at = figure.subplots()
    shares = np.array([_shares(pair) for pair in pairs])
    top = LOWEST_DB + STEP_DB * shares.shape[1]
    image = at.imshow(
        100 * shares,
        aspect="auto",
        cmap="viridis",
        extent=(LOWEST_DB, top, len(pairs) - 0.5, -0.5),
        vmin=0,
        interpolation="nearest",
    )
    at.set_yticks(range(len(pairs)), [pair.name for pair in pairs])
    at.set_xticks(range(LOWEST_DB, top + 1, STEP_DB))
    at.set_xlabel("RMS of a block (dBFS)")
    figure.colorbar(image, ax=at, label="share (%)")
    return figure


def draw_delay(trajectory: DelayTrajectory, title: str) -> Figure:
    """The delay over time, above, and how sure it is, below.

    Args:
        trajectory: The delay.
        title: What is shown.
    """
    figure = new_figure(10, 5.5, title)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    step = max(1, len(trajectory.times_s) // SHOWN_POINTS)
    time_s, delay = trajectory.times_s[::step], trajectory.delay_samples[::step]
    confidence = trajectory.confidence[::step]
    above.plot(time_s, delay, color=TARGET, linewidth=1.2)
    unsure = confidence < 0.5
    if unsure.any():
        above.plot(time_s[unsure], delay[unsure], ".", color=ERROR, markersize=3, label="carried over")
        above.legend(loc="upper right", fontsize="small")
    above.set_ylabel(f"delay (samples at {trajectory.sample_rate} Hz)")
    below.fill_between(time_s, confidence, color=INPUT, alpha=0.6, linewidth=0)
    below.axhline(0.5, color=OUTPUT, linewidth=0.8)
    below.set_ylim(0, 1.05)
    below.set_ylabel("confidence")
    below.set_xlabel("time (s)")
    for panel in (above, below):
        panel.grid(alpha=0.3)
        panel.margins(x=0)
    return figure


def _shares(pair: PairReport) -> list[float]:
    shares: list[float] = np.mean([own.dry_levels.shares for own in pair.channels], axis=0).tolist()
    return shares
