"""A net's steadiness in words, and the table of its parts."""

from __future__ import annotations

from tapezoo.measure.steadiness import EXCESS_DB, GROWTH_DB, RINGING_DB, ROUNDING_DB, Steadiness
from tapezoo.report.tables import Cell, Column, Table

WORTH_A_REASON = 0.5  # under it a reason reads like a fault
COLUMNS = (
    Column("part", "what is measured"),
    Column("level_db", "level (dB)", shown=".1f", written=".4g", is_number=True),
    Column("limit_db", "steady below (dB)", shown=".0f", written=".4g", is_number=True),
)


def verdict_text(found: Steadiness) -> str:
    """Whether the net is steady, and what decides, in one sentence."""
    if not found.is_steady:
        return (
            f"NOT steady: {found.reason}. No epoch was steady; expect different results on other audio "
            "and processors. Try more audio, a lower learning rate (--model.optimizer.lr), or the recipe "
            "lstm-steady."
        )
    if found.figure == 0:
        return "steady: no figure is near its limit"
    largest = f"the largest figure is at {found.figure:.2g} of its limit"
    return f"steady; {largest}: {found.reason}" if found.figure > WORTH_A_REASON else f"steady: {largest}"


def refused_text(epochs: int) -> str:
    """How many unsteady epochs were not kept as the best."""
    what = "1 epoch with a better score was" if epochs == 1 else f"{epochs} epochs with better scores were"
    return f"{what} not steady and not kept"


def steadiness_table(found: Steadiness) -> Table:
    """A line per part and per kind of material."""
    rows: list[tuple[Cell, ...]] = [
        ("single precision", found.rounding_db, ROUNDING_DB[1]),
        ("a disturbance of the state, over the disturbance", found.growth_db, GROWTH_DB[1]),
        ("output in silence", found.ringing_db, RINGING_DB[1]),
        *(
            (f"{kind}: over what its gain allows", excess_db, EXCESS_DB[1])
            for kind, excess_db in found.excess_by_material.items()
        ),
    ]
    return Table(COLUMNS, rows, title="Steadiness, relative to the output on validation material")
