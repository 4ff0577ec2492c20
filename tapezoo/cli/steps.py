"""The steps of a long verb, shown while they last."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tapezoo.terminal import complain


@contextmanager
def show_steps(verb: str) -> Iterator[Callable[[str], None]]:
    """Yields a function to call with each step's name; without rich each step is a line of its own."""
    if importlib.util.find_spec("rich") is None:

        def say(step: str) -> None:
            complain(f"{verb}: {step}")

        yield say
        return
    from tapezoo.screen import Screen

    with Screen().status(verb) as status:
        yield lambda step: status.update(step)
