"""`tapezoo models`: what is registered, without importing any of it."""

from __future__ import annotations

import argparse
from typing import Any

from tapezoo import registry
from tapezoo.terminal import say


def add_parser(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser("models", help="list the registered architectures")
    parser.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Prints name, distribution and version of every registered architecture."""
    rows = [("name", "distribution", "version")]
    rows += [(found.name, found.distribution, found.version) for found in registry.registrations()]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        say(line.rstrip())
    return 0
