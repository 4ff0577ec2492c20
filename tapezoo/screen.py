"""A rich console that interprets no markup, since a file may be called `Amp [ch1].wav` or `takes[/b]`."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Progress
from rich.progress import TaskID as TaskID
from rich.status import Status as Status
from rich.text import Text

from tapezoo.terminal import plain


class Screen(Console):
    """Shows text literally, in tables too, and escapes other characters (`tapezoo.terminal.plain`)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"highlight": False, **kwargs, "markup": False, "emoji": False})

    def render_str(self, text: str, **kwargs: Any) -> Text:
        """Every string passes through here, including those in tables and their titles."""
        lines = "\n".join(plain(line) for line in text.split("\n"))
        return super().render_str(lines, **{**kwargs, "markup": False, "emoji": False})

    def say(self, *lines: str) -> None:
        """Prints lines of any length: a terminal wraps them, a file does not. A name cannot start a new line."""
        for line in lines:
            self.print(_literal(line), soft_wrap=True)

    def status(self, status: Any, **kwargs: Any) -> Status:
        """As the parent's; `update` shows text literally too."""
        return _Status(status, console=self, **kwargs)


def bar(screen: Screen) -> Progress:
    """A progress bar that disappears when the work is done; task names are shown literally."""
    columns = (TaskName(), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    return _Transient(*columns, console=screen, transient=True)


def wide_bar(screen: Screen) -> Progress:
    """A full-width bar with the time elapsed and remaining; it stays on screen, and shows text literally."""
    columns = (
        TaskName(),
        BarColumn(bar_width=None),
        TimeElapsedColumn(),
        TextColumn("passed,"),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
    )
    return Progress(*columns, console=screen, refresh_per_second=4, expand=True)


class _Transient(Progress):
    """A bar that leaves nothing behind: in a file the parent's would leave an empty line."""

    def stop(self) -> None:
        """Ends the display alone."""
        self.live.stop()


class TaskName(ProgressColumn):
    """The name of a task, shown literally."""

    def render(self, task: Task) -> Text:
        """The name."""
        return Text(plain(task.description))


class _Status(Status):
    def __init__(self, status: Any, **kwargs: Any) -> None:
        super().__init__(_literal(status), **kwargs)

    def update(self, status: Any = None, **kwargs: Any) -> None:
        super().update(None if status is None else _literal(status), **kwargs)


def _literal(text: Any) -> Any:
    return Text(plain(text)) if isinstance(text, str) else text
