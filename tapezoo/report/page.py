"""A page as a list of parts, and its text in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tapezoo.report.tables import Table, markdown


@dataclass(frozen=True)
class Heading:
    """A line over the parts that follow it; the page's own has level 1."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Picture:
    """A file beside the page, and what it shows."""

    file: str
    text: str


Part = str | Heading | Picture | Table  # a text is a paragraph


def page_markdown(parts: Sequence[Part]) -> str:
    """The page's text; a table's title and caption are parts of their own."""
    return "\n\n".join(_markdown(part) for part in parts) + "\n"


def _markdown(part: Part) -> str:
    match part:
        case Heading(text, level):
            return f"{'#' * level} {text}"
        case Picture(file, text):
            return f"![{text}]({file})"
        case Table():
            return markdown(part)
        case _:
            return part
