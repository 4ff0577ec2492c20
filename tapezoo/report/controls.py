"""How controls, their settings and positions are written."""

from __future__ import annotations

from collections.abc import Iterable

from tapezoo.controls import Control


def control_heading(control: Control) -> str:
    """The control as the label of an axis or the head of a column: `drive (dB)`."""
    return f"{control.name} ({control.unit})" if control.unit else control.name


def positions_text(positions: Iterable[float]) -> str:
    """`0.5 0.25 0.25`."""
    return " ".join(f"{position:.3g}" for position in positions)
