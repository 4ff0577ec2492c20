"""The short forms of the training command line, and the recipe it names, read before any parser sees them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

from tapezoo import checkpoint
from tapezoo.callbacks.recorder import CONFIG
from tapezoo.errors import TapezooError, UsageError

NAMES_A_MODEL = ("--model", "--model.help")
ALLOW_IMPORT = "--allow-import"


class RecipeError(TapezooError):
    """The recipe is missing, or is no YAML mapping."""


class MissingRecipeError(TapezooError):
    """A checkpoint without the recipe of its run beside it, and no other recipe."""


def split_allowed(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The arguments without every `--allow-import PACKAGE`, and those packages.

    No parser sees the option, so that no recipe can give it to itself.

    Raises:
        UsageError: The option without a package, or with something that is none.
    """
    rest: list[str] = []
    packages: list[str] = []
    pending = list(arguments)
    while pending:
        argument = pending.pop(0)
        option, equals, value = argument.partition("=")
        if option not in (ALLOW_IMPORT, "--allow_import"):
            rest.append(argument)
            continue
        package = value if equals else (pending.pop(0) if pending else "")
        if not all(part.isidentifier() for part in package.split(".")) or package.startswith("jsonargparse"):
            command = " ".join(["tapezoo", *arguments[:1]])
            raise UsageError(
                command, f"{ALLOW_IMPORT} {package}, which names no package that could be trusted"
            )
        packages.append(package)
    return rest, packages


def expand(arguments: list[str]) -> list[str]:
    """`--model LSTM` written out, and `--config` of the checkpoint's own run where no recipe is named.

    Raises:
        RecipeError: The recipe is missing, or is no YAML mapping.
        MissingRecipeError, CheckpointError: A checkpoint that does not bring its recipe along.
    """
    expanded: list[str] = []
    for position, argument in enumerate(arguments):
        option, equals, value = argument.partition("=")
        if position > 0 and arguments[position - 1] in NAMES_A_MODEL and argument.isidentifier():
            argument = f"tapezoo.models.{argument}"
        elif option in NAMES_A_MODEL and equals and value.isidentifier():
            argument = f"{option}=tapezoo.models.{value}"
        expanded.append(argument)
    recipe_path = _option(expanded, "--config") or _option(expanded, "-c")
    if recipe_path is not None:
        _check_recipe(Path(recipe_path))
    checkpoint_path = _option(expanded, "--ckpt_path")
    if checkpoint_path and recipe_path is None and _option(expanded, "--model") is None:
        recipe = Path(checkpoint_path).parent / CONFIG
        if not recipe.is_file():
            checkpoint.read_checkpoint(Path(checkpoint_path))  # a wrong path is the likelier fault
            raise MissingRecipeError(
                str(recipe),
                found="no recipe beside the checkpoint",
                expected=f"the {CONFIG} that fit wrote there",
                fix="Pass --config RECIPE.",
            )
        expanded[1:1] = ["--config", str(recipe)]
    return expanded


def _check_recipe(path: Path) -> None:
    # jsonargparse names no file where the text is no YAML
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        found = "" if isinstance(content, dict) else "no mapping"
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        found = f"no readable YAML ({error})"
    if found:
        raise RecipeError(
            str(path),
            found=found,
            expected="a recipe: YAML with model, data and trainer",
            fix="Correct --config or the file; recipes/lstm.yaml is an example.",
        )


def is_said(arguments: list[str], name: str) -> bool:
    """Whether the line itself, and not its recipe alone, has the option."""
    return _option(arguments, name) is not None


def _option(arguments: list[str], name: str) -> str | None:
    for position, argument in enumerate(arguments):
        if argument == name and position + 1 < len(arguments):
            return arguments[position + 1]
        if argument.startswith(f"{name}="):
            return argument.partition("=")[2]
    return None
