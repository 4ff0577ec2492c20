"""`tapezoo report RUN`: the page of a run, written anew."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_parser(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser(
        "report",
        help="write a run's page to listen to and look at",
        description="Writes RUN/report/report.html anew, as fit and test do at their end: verdict, players, pictures "
        "and tables in one file that needs no network.",
    )
    parser.add_argument(
        "run",
        type=Path,
        metavar="RUN",
        help="the folder of a training, such as runs/LSTM-20261130-101500; `tapezoo runs` lists them",
    )
    parser.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Writes it and says where."""
    from tapezoo.report.html.run_page import write_run_page
    from tapezoo.run_files import BEST, CheckpointError
    from tapezoo.terminal import say

    folder: Path = options.run.parent if options.run.name == BEST else options.run
    if not (folder / BEST).is_file():
        raise CheckpointError(
            str(options.run),
            found="no run" if folder.is_dir() else "no such folder",
            expected=f"the folder of a training, with its {BEST}",
            fix="`tapezoo runs` lists them.",
        )
    say(f"written to {write_run_page(folder)}")
    return 0
