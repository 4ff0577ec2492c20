"""`tapezoo check NAME`: the laws on one registered architecture, as a table."""

from __future__ import annotations

import argparse
from typing import Any


def add_parser(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser("check", help="run the laws on an architecture")
    parser.add_argument("name", help="as `tapezoo models` lists it")
    parser.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Prints one line per law; returns 1 if one is broken."""
    from rich.console import Console
    from rich.table import Table

    from tapezoo import models, testing

    model_class = models.resolve(options.name)
    table = Table("law", "controls", "outcome", "detail", title=f"The laws on {options.name}")
    broken = 0
    console = Console()
    with console.status("checking"):
        for law, outcome, detail in testing.outcomes(model_class):
            table.add_row(law.name, str(len(law.controls)), outcome, detail)
            broken += outcome == "broken"
    console.print(table)
    return 1 if broken else 0
