"""The console of rich with nothing taken for markup: a file may be called `Amp [ch1].wav` or `takes[/b]`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.text import Text

from tapezoo.terminal import plain


class Screen(Console):
    """Shows text, and what stands in tables, as it is; see `tapezoo.terminal.plain`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, "highlight": False, **kwargs})

    def render_str(self, text: str, **kwargs: Any) -> Text:  # type: ignore[override]
        """Where every string becomes text, those in tables and their titles too."""
        lines = "\n".join(plain(line) for line in text.split("\n"))
        return super().render_str(lines, **{**kwargs, "markup": False, "emoji": False})

    def say(self, *lines: str) -> None:
        """Lines, however long, that a terminal wraps and a file does not."""
        for line in lines:
            self.print(Text(plain(line)), soft_wrap=True)

    @contextmanager
    def steps(self, start: str) -> Iterator[Callable[[str], None]]:
        """Shows `start` while it lasts; gives what to call with the name of each further step."""
        with super().status(Text(plain(start))) as status:
            yield lambda step: status.update(Text(plain(step)))
