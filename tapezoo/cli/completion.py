"""What a shell may offer after TAB, for argcomplete: asked for in the shell, never while a verb runs."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable
from typing import Any


def complete(make_parser: Callable[[], argparse.ArgumentParser]) -> None:
    """Answers the shell and ends the process where it is the shell that asks; else does nothing.

    Args:
        make_parser: Of the command line.
    """
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(make_parser())


def complete_with(action: Any, names: Callable[[], Iterable[str]]) -> None:
    """Offers names for an argument; the shell offers files where none of them fits.

    Args:
        action: What `add_argument` returned.
        names: Gives them when they are asked for.
    """
    action.completer = lambda prefix, **context: [name for name in names() if name.startswith(prefix)]


def complete_bundle(action: Any) -> None:
    """Offers the shipped bundles."""

    def names() -> Iterable[str]:
        from tapezoo.bundle.shipped import shipped_bundles

        return shipped_bundles()

    complete_with(action, names)
