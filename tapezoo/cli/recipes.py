"""`tapezoo recipes`: what is shipped; `tapezoo recipes copy NAME`: one of them as a file of one's own."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tapezoo.cli.completion import complete_with
from tapezoo.cli.shipped_recipes import shipped_recipe, shipped_recipes
from tapezoo.terminal import say, shell


def add_parser(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser(
        "recipes",
        help="list the recipes that tapezoo ships, or copy one",
        epilog="The name can be used wherever a recipe is expected: tapezoo fit --config lstm. A file with that "
        "name in the working directory takes precedence.",
    )
    parser.set_defaults(verb=run)
    kinds = parser.add_subparsers(metavar="WHAT")
    copy = kinds.add_parser("copy", help="copy a recipe to a file that you can change")
    name = copy.add_argument("name", metavar="NAME", help="name of a recipe, such as lstm or stn/grid")
    complete_with(name, shipped_recipes)
    copy.add_argument(
        "--to",
        type=Path,
        metavar="PATH",
        help="file or existing folder (default: the working directory); nothing is overwritten",
    )
    copy.set_defaults(verb=run_copy)


def run(options: argparse.Namespace) -> int:
    """Prints name, model, data and purpose of every shipped recipe."""
    from tapezoo.cli.table import say_table

    rows = [("recipe", "model", "data", "purpose")]
    rows += [(name, *_described(path)) for name, path in shipped_recipes().items()]
    say_table(rows)
    return 0


def run_copy(options: argparse.Namespace) -> int:
    """Copies one, and says how to train with the copy.

    Raises:
        RecipeError: There is none of this name, or something lies where the copy should go.
        UnwritableOutputError: The copy cannot be written.
    """
    from tapezoo.cli.errors import RecipeError
    from tapezoo.errors import UnwritableOutputError

    _, source = shipped_recipe(options.name)
    target: Path = options.to or Path()
    if target.is_dir():
        target /= source.name
    text = source.read_text(encoding="utf-8")
    try:
        with target.open(
            "x", encoding="utf-8"
        ) as file:  # fails where something is, also where it came just now
            file.write(text)
    except FileExistsError as error:
        raise RecipeError(
            str(target),
            found="a file that exists",
            expected="a free name",
            fix="Pass another one with --to.",
        ) from error
    except OSError as error:
        raise UnwritableOutputError(target, error) from error
    say(f"train with it: {shell('tapezoo', 'fit', '--config', target)}")
    return 0


def _first_sentence(text: str) -> str:
    """Of a recipe's header: to the first full stop, or to where the facts begin."""
    lines: list[str] = []
    for line in text.splitlines():
        said = line.removeprefix("#").strip()
        if not line.startswith("#") or said.startswith(("device:", "data:", "paper:", "reached:")):
            break
        lines.append(said)
    return re.split(r"(?<=[a-z0-9)]{2})\.(?= [A-Z-]|$)", " ".join(lines), maxsplit=1)[0]


def _described(path: Path) -> tuple[str, str, str]:
    """Model, data and the first line of the header."""
    from tapezoo.yamltext import parse_yaml, read_text

    text = read_text(path)
    content = parse_yaml(text)
    data = content["data"]
    device = data.get("init_args", {}).get("device")
    devices = device if isinstance(device, list) else [device] if device else []
    machines = ", ".join(
        each["class_path"].rpartition(".")[2] if isinstance(each, Mapping) else str(each) for each in devices
    )
    kind = data["class_path"].rpartition(".")[2]
    return (
        content["model"]["class_path"].rpartition(".")[2],
        f"{kind}: {machines}" if machines else kind,
        _first_sentence(text),
    )
