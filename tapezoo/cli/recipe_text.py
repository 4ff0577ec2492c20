"""Recipes as jsonargparse reads them, with our own rules of what YAML may say: see `tapezoo.yamltext`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import Path as RecipePath  # type: ignore[attr-defined]
from jsonargparse._loaders_dumpers import get_yaml_default_loader

from tapezoo.cli.errors import RecipeError
from tapezoo.cli.old_spellings import renew_recipe
from tapezoo.yamltext import YamlError, check_scalar, kind_of, parse_yaml, read_yaml


def read_recipe(path: Path, kinds: type | tuple[type, ...] = dict) -> Any:
    """The content of a file that is what a recipe, or a part of one, can be.

    Args:
        path: Of the file.
        kinds: Of what it may hold.

    Raises:
        RecipeError: It cannot be read, is no YAML, says something else than it seems to, or holds something else.
    """
    expected = "a recipe: YAML with model, data and trainer; recipes/lstm.yaml is an example"
    if kinds is not dict:
        expected = "a part of a recipe: a mapping or a list"
    fix = "Correct the file, or its path in --config or in the recipe that names it."
    try:
        content = read_yaml(path)
        found = "" if isinstance(content, kinds) else kind_of(content)
    except OSError as error:
        found = f"no readable file ({error.strerror or error})"
    except YamlError as error:
        found, expected, fix = error.found, error.expected, error.fix
    if found:
        raise RecipeError(str(path), found=found, expected=expected, fix=fix)
    return content


@contextmanager
def read_recipes_strictly(say: Callable[[str], None]) -> Iterator[None]:
    """Inside, jsonargparse takes 9:00 for text, and every file that it opens passes `read_recipe`.

    A recipe in an old spelling is read as if it were written in today's.

    It opens whatever a recipe names where a class or a mapping could stand: its messages would tell the content of
    a file that is no YAML.

    Args:
        say: Tells the user what was spelled anew, once for each file.
    """
    # of values on the line and in quotes; no setting reaches it
    loader = get_yaml_default_loader()  # type: ignore[no-untyped-call]
    for kind in ("int", "float", "bool"):
        loader.add_constructor(
            f"tag:yaml.org,2002:{kind}", _decimal(getattr(loader, f"construct_yaml_{kind}"))
        )
    before = RecipePath.read_text
    told: set[Path] = set()

    def read_text(path: RecipePath) -> str:
        file = Path(path.absolute)
        content = read_recipe(file, (dict, list))
        renewed, changes = renew_recipe(content)
        if not changes:
            return file.read_text(encoding="utf-8-sig")
        if file not in told:
            say(f"{file} uses an old spelling: {'; '.join(changes)}")
        told.add(file)
        return yaml.safe_dump(renewed, sort_keys=False)

    RecipePath.read_text = read_text  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        RecipePath.read_text = before  # type: ignore[method-assign]


def check_flow_value(text: str) -> None:
    """Refuses a mapping or list on the command line that says something else than it seems to.

    Raises:
        YamlError: See there.
    """
    if text.lstrip().startswith(("{", "[")):
        parse_yaml(text)


def _decimal(construct: Any) -> Any:
    def constructed(loader: Any, node: yaml.ScalarNode) -> Any:
        try:
            check_scalar(node)
        except YamlError as error:
            raise yaml.constructor.ConstructorError(problem=error.found) from error
        return construct(loader, node)

    return constructed
