"""How every figure looks, and how it becomes a PNG; matplotlib is imported when the first one is made."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tapezoo.staging import replaced_file

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure
    from matplotlib.text import Text

INPUT, TARGET, OUTPUT, ERROR = "#4c78a8", "#222222", "#f28e2b", "#d62728"
# of controls, and of the neighbours of a blend
SHADES = ("#2a7f9e", "#c2477f", "#5b8c3a", "#7a5fb5", "#a8742a", "#4d4d4d", "#d0a000", "#00897b")
DOTS_PER_INCH = 100


def new_figure(width_in: float, height_in: float, title: str = "", fontsize: str = "large") -> Figure:
    """An empty figure, whose parts find their places when it is written.

    Args:
        width_in: Inches of 100 dots.
        height_in: Inches.
        title: Above all panels.
        fontsize: Of the title, as matplotlib names it.
    """
    from matplotlib.figure import Figure

    # no pyplot: it would keep every figure, and look for a display
    figure = Figure(figsize=(width_in, height_in), dpi=DOTS_PER_INCH, layout="constrained")
    if title:
        figure.suptitle(title, fontsize=fontsize)
    return figure


def write_png(figure: Figure, path: Path) -> Path:
    """Writes `figure` and returns `path`; texts are never read as formulas.

    Raises:
        UnwritableOutputError: The file cannot be written, or the disk is full.
    """
    for text in _texts(figure):
        text.set_parse_math(False)
    arrange(figure)
    with replaced_file(path) as part:
        figure.savefig(part, format="png")
    return path


def arrange(figure: Figure) -> None:
    """Gives all parts their final places, once; `write_png` does it if the caller has not.

    matplotlib itself would draw the whole figure a second time for it.
    """
    if (layout := figure.get_layout_engine()) is not None:
        layout.execute(figure)
        figure.set_layout_engine("none")


def _texts(figure: Figure) -> Iterable[Text]:
    """All but the numbers along axes: `a$b$.wav` is no formula, and a power of ten there is one."""
    from matplotlib.axis import Axis
    from matplotlib.text import Text

    parts: list[Artist] = [child for child in figure.get_children() if child not in figure.axes]
    for axes in figure.axes:
        for child in axes.get_children():
            parts.append(child.label if isinstance(child, Axis) else child)
    return [text for part in parts for text in part.findobj(Text) if isinstance(text, Text)]
