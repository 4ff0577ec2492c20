"""The table of how far made signals are from a recorded one: a column for each way of making them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tapezoo.report.tables import Column, Table

Figure = tuple[str, float, str]  # what it is, its value, what it is where nothing can be told apart


def distance_table(made: Mapping[str, Sequence[Figure]], caption: str) -> Table:
    """A row for each figure.

    Args:
        made: By how it was made, the same figures for each.
        caption: Below it.
    """
    ways = list(made.values())
    columns = [
        Column("figure", "against recorded"),
        *(Column(name.replace(" ", "_"), name, shown=".4g", is_number=True) for name in made),
        Column("alike", "if they are alike"),
    ]
    rows = [
        (text, *(None if math.isnan(way[number][1]) else way[number][1] for way in ways), meaning)
        for number, (text, _, meaning) in enumerate(ways[0])
    ]
    return Table(columns, rows, caption=f"{caption}; a dash: too few or too short for it", empty="-")
