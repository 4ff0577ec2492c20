"""The help of every verb of the command line, as its own parser writes it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager

from tapezoo.cli import make_parser

WIDTH = 80  # characters: what the column of a page holds


def verb_help() -> Iterator[tuple[str, str]]:
    """Every verb with its help; those of a group follow the group."""
    with _terminal_of(WIDTH):
        yield from _verbs_below("tapezoo", make_parser())


def _verbs_below(name: str, parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb, found in action.choices.items():
                yield f"{name} {verb}", found.format_help()
                yield from _verbs_below(f"{name} {verb}", found)


@contextmanager
def _terminal_of(characters: int) -> Iterator[None]:
    """Sets the width of help, which argparse reads from the environment."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(characters)
    try:
        yield
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before
