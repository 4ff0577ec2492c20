"""Columns of plain text: a slim installation has nothing that draws tables."""

from __future__ import annotations

from collections.abc import Sequence

from tapezoo.terminal import say


def say_table(rows: Sequence[Sequence[str]]) -> None:
    """Prints rows with their columns aligned.

    Args:
        rows: The head among them; each as long as the others.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
