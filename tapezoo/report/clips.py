"""The table of a test clip by clip."""

from __future__ import annotations

from collections.abc import Sequence

from tapezoo.measure.clip_scores import ClipScore
from tapezoo.report.tables import Column, Table

TITLE = "Error energy over target energy (ESR), after the burn-in"
BURN_IN = "burn-in: the beginning of a clip, which fills the model's memory and is not scored"
COLUMNS = (
    Column("clip", "clip"),
    Column("test_esr", "test_esr", shown=".5f", written=".6g", is_number=True),
    Column("linear_floor", "linear floor", shown=".5f", written=".6g", is_number=True),
)
DELAY_KEPT = Column("test_esr_delay_kept", "delay kept", shown=".5f", written=".6g", is_number=True)


def clip_table(clips: Sequence[ClipScore], together: ClipScore) -> Table:
    """A line per clip, and one of all of them together; where a delay is removed, also the error without that."""
    everything = (*clips, together)
    if together.esr_delay_kept is None:
        rows = [(clip.name, clip.esr, clip.linear_floor) for clip in everything]
        return Table(COLUMNS, rows, title=TITLE, caption=BURN_IN, sums=1)
    name, score, floor = COLUMNS
    both = [(clip.name, clip.esr, clip.esr_delay_kept, clip.linear_floor) for clip in everything]
    caption = f"delay removed; 'delay kept': with only its constant part removed; {BURN_IN}"
    return Table((name, score, DELAY_KEPT, floor), both, title=TITLE, caption=caption, sums=1)
