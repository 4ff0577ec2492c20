"""One table: a CSV file, Markdown, and the terminal."""

import math
from pathlib import Path

from tapezoo.report.page import Heading, Picture, page_markdown
from tapezoo.report.tables import Column, Table, csv_text, markdown, screen_table, text_table, write_csv
from tapezoo.screen import Screen

TABLE = Table(
    [
        Column("name", "na-\nme"),
        Column("esr", "ESR of\nall", shown=".5f", written=".3g", is_number=True),
        Column("count"),
    ],
    [("a|b", 0.123456789, 7), ("far", 7.87e15, None), ("silent", math.nan, 0), ("none", None, 1)],
    empty="-",
)


def test_a_file_holds_every_column_as_it_is_written_and_nothing_where_there_is_nothing(
    tmp_path: Path,
) -> None:
    lines = ["name,esr,count", "a|b,0.123,7", "far,7.87e+15,", "silent,nan,0", "none,,1"]
    assert csv_text(TABLE, line_end="\n").splitlines() == lines
    assert (
        write_csv(TABLE, tmp_path / "a.csv").read_bytes() == "".join(f"{line}\r\n" for line in lines).encode()
    )


def test_numbers_without_a_format_are_written_in_full() -> None:
    table = Table([Column("x"), Column("is_fine")], [(0.1 + 0.2, True)])
    assert csv_text(table, "\n") == "x,is_fine\n0.30000000000000004,True\n"


def test_people_read_headings_short_figures_and_no_bar_that_splits_a_cell() -> None:
    assert markdown(TABLE).splitlines() == [
        "| name | ESR of all |",
        "| --- | ---: |",
        "| a\\|b | 0.12346 |",
        "| far | 7.87e+15 |",
        "| silent | nan |",
        "| none | - |",
    ]


def test_two_columns_of_one_name_keep_their_own_cells() -> None:
    assert csv_text(Table([Column("kind"), Column("kind")], [("a", "b")]), "\n") == "kind,kind\na,b\n"


def test_the_terminal_breaks_texts_and_never_numbers() -> None:
    table = Table(
        [Column("clip", "clip"), Column("esr", "ESR", shown=".5f", is_number=True)],
        [("a rather long name", 0.5), ("all", 0.25)],
        sums=1,
    )
    console = Screen(width=20)
    with console.capture() as shown:
        console.print(screen_table(table))
    lines = [line.strip() for line in shown.get().splitlines()]
    assert any(line.endswith("0.50000") for line in lines)
    assert "a rather" in shown.get()
    assert lines[lines.index("name") + 1] == ""  # a gap before the sum


def test_a_page_is_its_parts_one_below_the_other() -> None:
    parts = [
        Heading("Amp", 1),
        "Some text.",
        Heading("Files"),
        Picture("a.png", "what"),
        text_table(("x",), ["y"]),
    ]
    assert page_markdown(parts) == (
        "# Amp\n\nSome text.\n\n## Files\n\n![what](a.png)\n\n| x |\n| --- |\n| y |\n"
    )
