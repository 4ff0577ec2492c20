"""The table of a test clip by clip."""

from __future__ import annotations

from collections.abc import Sequence

from tapezoo.measure.clip_scores import ClipScore
from tapezoo.report.tables import Column, Table

COLUMNS = (
    Column("clip", "clip"),
    Column("test_esr", "test_esr", shown=".5f", written=".6g", is_number=True),
    Column("linear_floor", "linear floor", shown=".5f", written=".6g", is_number=True),
)


def clip_table(clips: Sequence[ClipScore], together: ClipScore) -> Table:
    """A line per clip, and one of all of them together."""
    rows = [(clip.name, clip.esr, clip.linear_floor) for clip in (*clips, together)]
    return Table(COLUMNS, rows, title="Error energy over target energy, after the burn-in", sums=1)
