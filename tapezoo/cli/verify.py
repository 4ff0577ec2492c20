"""`tapezoo verify BUNDLE`: every hash, then every target whose runtime is installed; needs no torch."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_parser(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser("verify", help="check every hash of a bundle and replay it")
    parser.add_argument("bundle", type=Path, help="a folder written by tapezoo export")
    parser.set_defaults(verb=run)
