"""What the training verbs take most of the time, as argparse knows it: for the short page of help and for completion.

LightningCLI parses the line itself, with some six hundred lines of help; those are `--help all`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from tapezoo.cli.completion import complete_with
from tapezoo.cli.shipped_recipes import shipped_recipes
from tapezoo.registry import registrations

VERBS = {
    "fit": "train a model from a recipe",
    "validate": "score a checkpoint on the validation split",
    "test": "score a checkpoint on each clip of the test split",
    "predict": "process the test split with a checkpoint and write WAV files",
}
ALLOW_IMPORT = "--allow-import"
PRINT_CONFIG = "--print_config"
SHORT_PAGE, FULL_PAGE = "short", "full"

# tapezoo's own, beside Lightning's; what they take is said where LightningCLI is told of them (training_cli.py)
OWN = {
    "run_dir": "folder of the run (default: runs/NAME-TIME)",
    "warm_start": "checkpoint with the initial weights",
    "overwrite": "replace the run, or its predictions, in --run_dir",
    "threads": "CPU threads (default: torch's choice)",
    "check_steadiness": "test whether the net is steady, and keep an unsteady epoch only if no epoch is steady",
    "final_test": "score the best checkpoint on the test split at the end",
}
ENSEMBLE = (
    "checkpoints of other seeds of the same training; one more recording helps most where they disagree"
)
_SHOWN = {
    "run_dir": "FOLDER",
    "warm_start": "CKPT",
    "overwrite": "true|false",
    "threads": "N",
    "check_steadiness": "true|false",
    "final_test": "true|false",
}
_OF_FIT_ALONE = ("warm_start", "check_steadiness", "final_test")
EPILOG = """more help:
  --model.help NAME            the arguments of an architecture, as --model.NAME VALUE
  --data.help CLASS            the arguments of the data, as --data.NAME VALUE
  --print_config               the resulting recipe with all defaults
  --help all                   every option, including those of Lightning's trainer
"""


def split_help(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """Which page of help a line asks for, and the line without that.

    Args:
        arguments: The verb and what follows it.

    Returns:
        `SHORT_PAGE`, `FULL_PAGE` or "" for none; the other arguments.
    """
    page, rest, pending = "", [], list(arguments)
    while pending:
        argument = pending.pop(0)
        if argument in ("-h", "--help") and pending[:1] == ["all"]:
            page = FULL_PAGE
            pending.pop(0)
        elif argument in ("--help=all", "--help-all"):
            page = FULL_PAGE
        elif argument in ("-h", "--help"):
            page = page or SHORT_PAGE
        else:
            rest.append(argument)
    return page, rest


def add_training_verbs(verbs: Any) -> None:
    """Adds the four verbs with their short pages; nothing is parsed with them.

    Args:
        verbs: argparse's subparsers.
    """
    for verb, purpose in VERBS.items():
        parser = verbs.add_parser(
            verb,
            help=purpose,
            description=(
                f"{purpose[0].upper()}{purpose[1:]}. The recipe holds all settings; options on the "
                "command line override them."
            ),
            usage=f"tapezoo {verb} --config RECIPE [--OPTION VALUE ...]",
            epilog=EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        add_training_options(parser, verb)


def add_training_options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Adds the options of one verb.

    Args:
        parser: Of the verb.
        verb: One of `VERBS`.
    """
    recipe = parser.add_argument(
        "-c",
        "--config",
        metavar="RECIPE",
        help="a file, or the name of a shipped recipe (`tapezoo recipes` lists them)",
    )
    complete_with(recipe, shipped_recipes)
    needed = (
        "last.ckpt of a training to resume"
        if verb == "fit"
        else "the trained model; its recipe is found beside it"
    )
    parser.add_argument("--ckpt_path", metavar="CKPT", help=needed)
    for name, text in OWN.items():
        if verb == "fit" or name not in _OF_FIT_ALONE:
            parser.add_argument(f"--{name}", metavar=_SHOWN[name], help=text)
    if verb == "test":
        parser.add_argument("--ensemble", metavar="[CKPT,...]", help=ENSEMBLE)
    model = parser.add_argument(
        "--model", metavar="NAME", help="another architecture (`tapezoo models` lists them)"
    )
    complete_with(model, lambda: (found.name for found in registrations("models")))
    data = parser.add_argument(
        "--data", metavar="CLASS", help="PairedAudio for recordings, or VirtualDevices"
    )
    complete_with(data, lambda: ("PairedAudio", "VirtualDevices", "HysteresisCells"))
    for name, shown, text in (
        ("data.dry", "WAV", "recording of the machine's input, with --data PairedAudio"),
        ("data.wet", "WAV", "recording of its output"),
        ("data.pairs", "YAML", "instead of these two: several recordings, with knobs and splits"),
        ("trainer.max_epochs", "N", "length of the training"),
        ("trainer.max_time", "DD:HH:MM:SS", "time limit; null: none"),
        ("trainer.accelerator", "NAME", "cpu or gpu"),
        ("trainer.logger", "false", "do not track the run with MLflow"),
        (
            "tracking.uri",
            "URI",
            "where the run is tracked (default: MLFLOW_TRACKING_URI, else sqlite:///mlruns.db)",
        ),
        ("seed_everything", "N", "seed of weights and batches"),
    ):
        parser.add_argument(f"--{name}", metavar=shown, help=text)
    parser.add_argument(
        ALLOW_IMPORT,
        metavar="PACKAGE",
        help="let the recipe name classes and functions of that package; may be repeated",
    )
