"""Recipes by name: a file of the user's comes first, then the recipes that tapezoo ships."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import tapezoo
from tapezoo.cli.errors import RecipeError
from tapezoo.nearest import nearest_names

FOLDER = "recipes"
SUFFIX = ".yaml"
SUGGESTIONS = 3


def shipped_recipes() -> dict[str, Path]:
    """The file of every shipped recipe, by its name: the path below `recipes/` without the suffix, such as stn/grid."""
    package = Path(tapezoo.__file__).parent
    # a wheel carries them inside the package; in a checkout they lie beside it, where they are written
    folder = next((at for at in (package / FOLDER, package.parent / FOLDER) if at.is_dir()), package / FOLDER)
    paths = sorted(folder.rglob(f"*{SUFFIX}"))
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in paths}


def find_recipe(asked: str, tell: Callable[[str], None] = lambda line: None) -> Path:
    """The file that a recipe's name or path stands for.

    Args:
        asked: A path, with or without `.yaml`; or the name of a shipped recipe, with or without `recipes/` and `.yaml`.
        tell: Told which file is used where that could be misunderstood.

    Raises:
        RecipeError: There is neither a file nor a shipped recipe; with the nearest names.
    """
    shipped = shipped_recipes()
    own = next((path for path in (Path(asked), Path(asked + SUFFIX)) if _is_file(path)), None)
    found = shipped.get(_name_of(asked))
    if own is not None:
        if found is not None and not own.samefile(found):
            tell(f"recipe {asked}: the file {own}, not the shipped recipe with that name")
        return own
    if found is not None:
        tell(f"recipe {asked}: shipped with tapezoo, {found}")
        return found
    if Path(asked).is_dir():
        return Path(asked)  # whoever reads it says what is wrong with that
    raise _unknown(asked, list(shipped))


def shipped_recipe(name: str) -> tuple[str, Path]:
    """A shipped recipe, whatever lies in the working directory.

    Args:
        name: With or without `recipes/` and `.yaml`.

    Returns:
        Its plain name and its file.

    Raises:
        RecipeError: There is none of this name; with the nearest names.
    """
    shipped, plain = shipped_recipes(), _name_of(name)
    if plain not in shipped:
        raise _unknown(name, list(shipped))
    return plain, shipped[plain]


def _is_file(path: Path) -> bool:
    try:
        return path.exists() and not path.is_dir()  # a pipe is as good
    except (OSError, ValueError):  # a name that no file can have
        return False


def _name_of(asked: str) -> str:
    return asked.removeprefix(f"{FOLDER}/").removesuffix(SUFFIX)


def _unknown(asked: str, known: list[str]) -> RecipeError:
    last = {name.rpartition("/")[2]: name for name in known}
    name = _name_of(asked).lower()
    near = nearest_names(name, known, SUGGESTIONS, cutoff=0.5)
    near += [last[match] for match in nearest_names(name.rpartition("/")[2], last)]
    nearest = ", ".join(dict.fromkeys(near))
    return RecipeError(
        asked,
        found="no file and no shipped recipe with this name",
        expected=f"the path of a recipe, or a shipped one{f' such as {nearest}' if nearest else ''}",
        fix="Correct it; `tapezoo recipes` lists the shipped ones.",
    )
