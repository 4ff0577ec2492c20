"""Tables as values, and what becomes of them: a CSV file, Markdown, or a table on the terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.table import Table as RichTable

from tapezoo.staging import replaced_file

Cell = str | int | float | None


@dataclass(frozen=True)
class Column:
    """One column, which is called and written differently for programs and for people.

    Args:
        name: Its head in a CSV file.
        heading: What people read above it; may hold line breaks. None: in files alone.
        shown: Format of its cells for people, such as `.5f`; text without one.
        written: Format in a CSV file; without one, a number is written in full.
        is_number: Whether it is aligned to the right.
    """

    name: str
    heading: str | None = None
    shown: str = ""
    written: str = ""
    is_number: bool = False


@dataclass(frozen=True)
class Table:
    """Rows under columns.

    Args:
        columns: From left to right.
        rows: A cell per column; None: there is nothing to say.
        title: Above it.
        caption: Below it.
        sums: How many of the last rows sum up the others.
        empty: What people read where there is nothing to say.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    title: str = ""
    caption: str = ""
    sums: int = 0
    empty: str = ""

    def shown_columns(self) -> list[Column]:
        """Those with a heading for people."""
        return [column for column in self.columns if column.heading is not None]

    def shown_cells(self, row: Sequence[Cell]) -> list[str]:
        """A row as people read it."""
        return [
            self.empty if cell is None else format_cell(cell, column.shown)
            for column, cell in zip(self.columns, row, strict=True)
            if column.heading is not None
        ]


def text_table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], title: str = "", caption: str = ""
) -> Table:
    """A table of texts alone."""
    return Table([Column(heading, heading) for heading in headings], list(rows), title, caption)


def order_cells(columns: Sequence[Column], row: Mapping[str, Cell]) -> list[Cell]:
    """The cells of a row, given by name of their columns; what is missing is None."""
    return [row.get(column.name) for column in columns]


def format_cell(cell: str | float, style: str) -> str:
    """Texts stay; decimals of a number over 1000 say nothing, and a training that diverged has any number of them."""
    if isinstance(cell, str):
        return cell
    is_far = style in (".5f", ".3f") and abs(cell) >= 1000
    return format(cell, ".2e" if is_far else style)


def csv_text(table: Table, line_end: str = "\r\n") -> str:
    """The table for other programs; an empty cell: nothing to say."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator=line_end)
    writer.writerow([column.name for column in table.columns])
    for row in table.rows:
        writer.writerow(
            [
                format(cell, column.written) if column.written and isinstance(cell, int | float) else cell
                for column, cell in zip(table.columns, row, strict=True)
            ]
        )
    return file.getvalue()


def write_csv(table: Table, path: Path) -> Path:
    """Writes the table for other programs, whole or not at all, and returns `path`.

    Raises:
        UnwritableOutputError: The file cannot be written, or the disk is full.
    """
    with replaced_file(path) as part:
        part.write_bytes(csv_text(table).encode("utf-8"))
    return path


def markdown(table: Table) -> str:
    """The table in Markdown, without a line break at its end; title and caption are left to the page."""
    columns = table.shown_columns()
    lines = [
        [(column.heading or "").replace("-\n", "").replace("\n", " ") for column in columns],
        ["---:" if column.is_number else "---" for column in columns],
        *(table.shown_cells(row) for row in table.rows),
    ]
    return "\n".join("| " + " | ".join(_escape(cell) for cell in line) + " |" for line in lines)


def screen_table(table: Table, gap: int = 1) -> RichTable:
    """The table for `tapezoo.screen.Screen.print`; where there is too little room, texts break and numbers do not.

    Args:
        table: What to show.
        gap: Characters between its columns, besides one.
    """
    shown = RichTable(
        title=table.title or None,
        caption=table.caption or None,
        caption_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, gap, 0, 0),
    )
    for column in table.shown_columns():
        justify: Literal["left", "right"] = "right" if column.is_number else "left"
        shown.add_column(column.heading or "", justify=justify, overflow="fold", no_wrap=column.is_number)
    for number, row in enumerate(table.rows):
        if table.sums and number == len(table.rows) - table.sums:
            shown.add_section()
        shown.add_row(*table.shown_cells(row))
    return shown


def _escape(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")
