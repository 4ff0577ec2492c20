"""`tapezoo list [KIND]`: what is registered, without importing any of it; `tapezoo models` is one kind of it."""

from __future__ import annotations

import argparse
from typing import Any

from tapezoo import registry
from tapezoo.terminal import say


def add_parser(verbs: Any) -> None:
    """Adds both verbs to the command line."""
    parser = verbs.add_parser("list", help="list the registered models, losses, devices ...")
    parser.add_argument("kind", nargs="?", choices=tuple(registry.KINDS), help="without it: everything")
    parser.set_defaults(verb=run)
    models = verbs.add_parser("models", help="list the registered architectures")
    models.set_defaults(verb=run, kind="models")


def run(options: argparse.Namespace) -> int:
    """Prints name, distribution and version of everything registered, or of one kind."""
    kinds = registry.KINDS if options.kind is None else (options.kind,)
    rows = [("kind", "name", "distribution", "version")]
    rows += [
        (registry.KINDS[kind], found.name, found.distribution, found.version)
        for kind in kinds
        for found in registry.registrations(kind)
    ]
    shown = range(4) if options.kind is None else range(1, 4)
    widths = {column: max(len(row[column]) for row in rows) for column in shown}
    for row in rows:
        say("  ".join(row[column].ljust(width) for column, width in widths.items()).rstrip())
    return 0
