"""The metrics of a split as a table."""

from __future__ import annotations

import math
from collections.abc import Mapping

from tapezoo.measure.metric_units import UNITS, metric_meaning
from tapezoo.report.tables import Column, Table

COLUMNS = (
    Column("metric", "metric"),
    Column("value", "value", shown=".5g", written=".6g", is_number=True),
    Column("unit", "unit"),
    Column("meaning", "what it is"),
)


def metrics_table(values: Mapping[str, float]) -> Table:
    """A row per metric, in the order given; an empty cell where it could not be measured.

    Args:
        values: By name.
    """
    rows = [
        [name, None if math.isnan(value) else value, UNITS.get(name, ""), metric_meaning(name)]
        for name, value in values.items()
    ]
    return Table(COLUMNS, rows)
