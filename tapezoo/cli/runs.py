"""`tapezoo runs`: the trainings that were tracked, with what they reached."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapezoo.terminal import say, shell

if TYPE_CHECKING:
    from tapezoo.report.tables import Table
    from tapezoo.tracking.run_list import ListedRun

MOST_RUNS = 20
SHOWN_NAME, SHOWN_RECORDINGS = 28, 24  # characters
IN_FILE = (
    "name",
    "architecture",
    "recordings",
    "val_esr",
    "test_esr",
    "linear_floor",
    "steady",
    "began",
    "status",
    "run_dir",
    "store",
)
HEADINGS = ("run", "model", "val_esr", "test_esr", "floor", "began", "recordings", "")


def add_parser(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser(
        "runs",
        help="list trainings: name, recordings, errors, linear floor, date",
        description="Lists the latest trainings, from any folder: those in --uri; without it those in "
        "MLFLOW_TRACKING_URI; without that, those in every mlruns.db that trainings of this account were tracked in.",
    )
    parser.add_argument("--uri", help="store of runs: sqlite:///FILE or http(s)://HOST:PORT")
    parser.add_argument(
        "--most", type=int, default=MOST_RUNS, metavar="N", help="how many at most (default: %(default)s)"
    )
    parser.add_argument("--csv", type=Path, metavar="FILE", help="also write all columns to this file")
    parser.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Prints the table.

    Raises:
        ArgumentsError: Fewer than one run is asked for.
        StoreError: A store does not answer.
    """
    from tapezoo.errors import ArgumentsError

    if options.most < 1:
        raise ArgumentsError("tapezoo runs", f"--most is {options.most}; 1 or more")
    uris = _stores(options.uri)
    if not uris:
        say("no tracked trainings yet: `tapezoo fit` keeps them in mlruns.db in the folder it runs in")
        return 0
    from tapezoo.cli.table import say_table
    from tapezoo.report.tables import write_csv
    from tapezoo.tracking.run_list import list_runs

    found = list_runs(uris, options.most)
    say_table([HEADINGS, *map(_shown, found)])
    if options.csv is not None:
        say(f"written to {write_csv(_table(found), options.csv)}")
    for uri in uris:
        if not uri.startswith(("http://", "https://")):
            say(f"all of a store: {shell('mlflow', 'ui', '--backend-store-uri', uri)}")
    return 0


def _shown(run: ListedRun) -> tuple[str, ...]:
    remarks = [] if run.status == "finished" else [run.status]
    remarks += ["not steady"] if run.is_steady is False else []
    errors = (run.val_esr, run.test_esr, run.linear_floor)
    return (
        _short(run.name, SHOWN_NAME),
        run.architecture,
        *("-" if error is None else f"{error:.5f}" for error in errors),
        f"{run.began:%b %d %H:%M}",
        _short(run.recordings, SHOWN_RECORDINGS),
        ", ".join(remarks),
    )


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _table(runs: Sequence[ListedRun]) -> Table:
    from tapezoo.report.tables import Column, Table

    columns = [
        Column(name, written=".6g" if name in ("val_esr", "test_esr", "linear_floor") else "")
        for name in IN_FILE
    ]
    rows = [
        (
            run.name,
            run.architecture,
            run.recordings,
            run.val_esr,
            run.test_esr,
            run.linear_floor,
            "" if run.is_steady is None else ("yes" if run.is_steady else "no"),
            f"{run.began:%Y-%m-%d %H:%M}",
            run.status,
            run.run_dir,
            run.store,
        )
        for run in runs
    ]
    return Table(columns, rows)


def _stores(uri: str | None) -> list[str]:
    from tapezoo.tracking.address import SQLITE, Tracking, tracking_uri
    from tapezoo.tracking.known_stores import known_stores

    own = tracking_uri(Tracking(uri))
    if uri is not None or os.environ.get("MLFLOW_TRACKING_URI"):
        return [own]
    here = [own] if Path(own.removeprefix(SQLITE)).is_file() else []
    return list(dict.fromkeys([*here, *known_stores()]))
