"""The steps of a long verb, shown while they last."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def shown_steps(verb: str) -> Iterator[Callable[[str], None]]:
    """Gives what to call with each step's name; without rich, as where bundles are only played, a line for each."""
    if importlib.util.find_spec("rich") is None:

        def say(step: str) -> None:
            sys.stderr.write(f"{verb}: {step}\n")

        yield say
        return
    from rich.console import Console

    with Console().status(verb) as status:
        yield lambda step: status.update(step)
