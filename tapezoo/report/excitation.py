"""The picture of an excitation: what is played when, and how loud."""

from __future__ import annotations

from pathlib import Path

from matplotlib.patches import Patch

from tapezoo.recordings.excitation.layout import Kind, Layout
from tapezoo.report.figures import SHADES, new_figure, write_png

FLOOR_DB = -60.0
_KINDS: tuple[Kind, ...] = ("silence", "sweep", "tone", "multitone", "noise", "programme", "music")


def write_excitation_picture(path: Path, name: str, layout: Layout) -> Path:
    """Writes the segments as bars from -60 dBFS to their peak, the marks and the boundaries between the splits.

    Args:
        path: The PNG.
        name: Of the excitation's file.
        layout: What it holds.

    Raises:
        UnwritableOutputError: It cannot be written.
    """
    rate = layout.sample_rate
    figure = new_figure(12, 4, f"{name}: {layout.design}")
    at = figure.subplots()
    shown = [kind for kind in _KINDS if layout.of_kind(kind)]
    colours = dict(zip(shown, SHADES, strict=False))
    for one in layout.segments:
        level = FLOOR_DB + 2 if one.level_db is None else one.level_db
        at.bar(
            one.start / rate,
            level - FLOOR_DB,
            (one.stop - one.start) / rate,
            FLOOR_DB,
            align="edge",
            color=colours[one.kind],
        )
    for mark in (layout.start_mark, layout.end_mark):
        at.axvline(mark / rate, color="black", linewidth=1.5)
    for split, (start, stop) in layout.regions.items():
        at.axvline(stop / rate, color="black", linewidth=0.8, linestyle=":")
        at.text((start + stop) / 2 / rate, 2, split, ha="center", fontsize="small")
    at.set_xlim(0, layout.samples / rate)
    at.set_ylim(FLOOR_DB, 6)
    at.set_xlabel("time (s)")
    at.set_ylabel("peak (dBFS)")
    legend = [Patch(color=colours[kind], label=kind) for kind in shown]
    figure.legend(handles=legend, ncols=len(legend), loc="outside lower center", fontsize="small")
    return write_png(figure, path)
