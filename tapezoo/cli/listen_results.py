"""`tapezoo listen-results TEST CSV...`: what a panel's answers come to."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

MARK = "results.json"
EPILOG = """
CSV files are what the page saved for listeners, or what webMUSHRA wrote; both may be mixed. Listeners who did not
answer everything, and in a MUSHRA test those whom BS.1534-3 screens out, are named and left out. docs/listen.md says
what the figures are.
"""


def add_parser(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser(
        "listen-results",
        help="evaluate what listeners answered",
        description="Medians, confidence intervals and p-values of a listening test, and which metric agreed with it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "test", type=Path, metavar="TEST", help="folder that tapezoo listen wrote, or its test.json"
    )
    parser.add_argument(
        "answers", nargs="+", type=Path, metavar="CSV", help="answers of one or more listeners"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="write results.csv, results.json and results.png to this new folder",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing folder of results")
    parser.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Evaluates, prints tables, and writes the folder that was asked for."""
    from tapezoo.listening.design import read_test
    from tapezoo.listening.results import evaluate
    from tapezoo.report.panel import (
        agreement_table,
        difference_table,
        discrimination_table,
        passage_table,
        score_table,
    )
    from tapezoo.report.tables import screen_table
    from tapezoo.screen import Screen
    from tapezoo.staging import check_free, staged_folder

    if options.out is not None:
        check_free(options.out, options.overwrite, _is_ours, "folder of results")
    test = read_test(options.test)
    results = evaluate(test, options.answers)
    console = Screen()
    if results.kind == "abx":
        console.print(screen_table(discrimination_table(results)))
    else:
        console.print(screen_table(score_table(results)))
        console.print(screen_table(difference_table(results)))
    console.say(*(f"left out: {name}, who {reason}" for name, reason in results.excluded.items()))
    if results.agreements:
        console.print(screen_table(agreement_table(results)))
    if options.out is None:
        return 0

    import json

    from tapezoo.report.figures import write_png
    from tapezoo.report.panel_picture import draw_panel
    from tapezoo.report.tables import write_csv

    with staged_folder(options.out, options.overwrite, _is_ours, "folder of results") as folder:
        text = json.dumps(results.as_json(), indent=1, ensure_ascii=False)
        (folder / MARK).write_text(text + "\n", encoding="utf-8")
        write_csv(passage_table(results, test), folder / "results.csv")
        write_png(draw_panel(results), folder / "results.png")
    console.say(f"written to {options.out}")
    return 0


def _is_ours(folder: Path) -> bool:
    return (folder / MARK).is_file()
