"""Tables on the terminal of thousands of rows."""

import math

import numpy as np

from tapezoo.report.tables import Column, Table
from tapezoo.report.worst_rows import worst_rows

COLUMNS = [Column("clip", "clip"), Column("esr", "ESR", shown=".5f", is_number=True)]


def table(count: int) -> Table:
    figures = np.random.default_rng(0).permutation(count) / 1000
    rows = [(f"clip {number}", float(esr)) for number, esr in enumerate(figures)]
    rows[3] = "silent", math.nan
    return Table(COLUMNS, [*rows, ("all", 0.5)], title="Errors", caption="after the burn-in", sums=1)


def test_a_short_table_is_shown_as_it_is() -> None:
    assert worst_rows(table(64), "esr", "a.csv") == table(64)


def test_of_a_long_one_the_worst_rows_come_first_and_the_sums_stay() -> None:
    whole = table(200)
    shown = worst_rows(whole, "esr", "a.csv")
    judged = [row for row in whole.rows[:-1] if row[0] != "silent"]
    assert shown.rows == [*sorted(judged, key=lambda row: -row[1])[:16], ("all", 0.5)]
    assert shown.title == "Errors: the 16 worst of 200"
    median = np.median([row[1] for row in judged])
    assert shown.caption == f"after the burn-in\nmedian of all: {median:.5f}; all are in a.csv"
    assert len(whole.rows) == 201


def test_where_nothing_has_a_figure_there_is_no_median() -> None:
    silent = Table(COLUMNS, [(f"clip {number}", math.nan) for number in range(65)], title="Errors")
    shown = worst_rows(silent, "esr", "a.csv")
    assert shown.rows[0] == silent.rows[0]
    assert (len(shown.rows), shown.caption) == (16, "all are in a.csv")
