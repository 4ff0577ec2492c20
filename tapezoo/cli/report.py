"""`tapezoo report FOLDER`: the page of a run, a data set or a measurement, written anew."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any


def add_parser(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser(
        "report",
        help="write the page of a run, a data set or a measurement, to listen to and look at",
        description="Writes report.html anew, as fit, test, prepare and measure do at their end: verdict, players, "
        "pictures and tables in one file that needs no network.",
    )
    parser.add_argument(
        "folder",
        type=Path,
        metavar="FOLDER",
        help="of a training, such as runs/LSTM-20261130-101500 (`tapezoo runs` lists them), of a data set that "
        "`tapezoo prepare` wrote, or of a measurement that `tapezoo measure --out` wrote",
    )
    parser.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Writes it and says where."""
    from tapezoo.recordings.dataset import is_dataset
    from tapezoo.report.html.generator_page import is_generator_run, write_generator_page
    from tapezoo.run_files import BEST, MEASUREMENT, CheckpointError
    from tapezoo.terminal import say

    folder: Path = options.folder.parent if options.folder.name == BEST else options.folder
    write: Callable[[Path], Path]
    if is_generator_run(folder):
        write = write_generator_page
    elif (folder / BEST).is_file():
        from tapezoo.report.html.run_page import write_run_page

        write = write_run_page
    elif (folder / MEASUREMENT).is_file():
        from tapezoo.report.html.measure_page import write_measure_page

        write = write_measure_page
    elif is_dataset(folder):
        from tapezoo.report.html.dataset_page import write_dataset_page

        write = write_dataset_page
    else:
        raise CheckpointError(
            str(options.folder),
            found=_what_is(options.folder),
            expected=f"the folder of a training, with its {BEST}, or of `tapezoo prepare` or `measure`",
            fix="`tapezoo runs` lists the runs.",
        )
    say(f"written to {write(folder)}")
    return 0


def _what_is(path: Path) -> str:
    if path.is_dir():
        return "no run, data set or measurement"
    return "a file" if path.is_file() else "no such folder"
