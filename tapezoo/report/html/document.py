"""What every page is made of: the document around its parts, pictures and tables."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from tapezoo.report.tables import Table
from tapezoo.staging import replaced_file

PAGE = "report.html"
CODE = re.compile("`([^`]+)`")


def write_document(path: Path, title: str, body: Iterable[str]) -> Path:
    """Writes a page, whole or not at all, and returns `path`.

    Args:
        path: Of the page.
        title: Plain text.
        body: Markup.

    Raises:
        UnwritableOutputError: The page cannot be written, or the disk is full.
    """
    page = Template(asset("page.html")).substitute(
        title=escape(title), style=asset("page.css"), script=asset("page.js"), body="\n".join(body)
    )
    with replaced_file(path) as part:
        part.write_text(page, encoding="utf-8")
    return path


def asset(name: str) -> str:
    """A file beside this one."""
    return (files("tapezoo.report.html") / name).read_text(encoding="utf-8")


def prose(text: str) -> str:
    """Markup of a text in which `...` are commands, options or files.

    >>> prose("`fit` learns < you")
    '<code>fit</code> learns &lt; you'
    """
    return CODE.sub(r"<code>\1</code>", escape(text))


def paragraph(text: str) -> str:
    """Text, see `prose`, in the smaller, softer type of explanations."""
    return f'<p class="soft">{prose(text)}</p>'


def figure(path: Path, text: str) -> Iterator[str]:
    """A picture that lies at `path`, if it does, over its caption."""
    if path.is_file():
        data = base64.b64encode(path.read_bytes()).decode("ascii")
        image = f'<img alt="{escape(text)}" src="data:image/png;base64,{data}">'
        yield f"<figure>{image}<figcaption>{prose(text)}</figcaption></figure>"


def pictures(found: Sequence[str]) -> Iterator[str]:
    """Figures under their heading; nothing where there are none."""
    if found:
        yield '<h2>Pictures</h2><div class="pictures">'
        yield from found
        yield "</div>"


def table(shown: Table) -> Iterator[str]:
    """A table as people read it; title and caption are left to the page."""
    columns = shown.shown_columns()
    yield '<div class="scroll"><table><tr>'
    yield "".join(_cell("th", column.heading or "", column.is_number) for column in columns)
    yield "</tr>"
    for row in shown.rows:
        cells = zip(shown.shown_cells(row), columns, strict=True)
        yield "<tr>" + "".join(_cell("td", cell, column.is_number) for cell, column in cells) + "</tr>"
    yield "</table></div>"


def _cell(tag: str, text: str, is_number: bool) -> str:
    kind = ' class="number"' if is_number else ""
    return f"<{tag}{kind}>{escape(text)}</{tag}>"
