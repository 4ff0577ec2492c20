"""The steps of a long verb, shown while they last."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tapezoo.terminal import complain


@contextmanager
def shown_steps(verb: str) -> Iterator[Callable[[str], None]]:
    """Gives what to call with each step's name; without rich, as where bundles are only played, a line for each."""
    if importlib.util.find_spec("rich") is None:

        def say(step: str) -> None:
            complain(f"{verb}: {step}")

        yield say
        return
    from tapezoo.screen import Screen

    with Screen().status(verb) as status:
        yield lambda step: status.update(step)
