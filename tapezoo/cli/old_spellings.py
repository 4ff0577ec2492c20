"""What recipes and command lines said before the objective had a place of its own, and what to write now."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tapezoo.cli.errors import RecipeError

OF_THE_OBJECTIVE = ("loss", "tbptt_samples", "gradient_clip_norm")
SUPERVISED = "tapezoo.training.Supervised"
CLASS_PATHS = {
    "tapezoo.schedules.CosineDecay": "tapezoo.training.CosineDecay",
    "tapezoo.training.schedules.CosineDecay": "tapezoo.training.CosineDecay",
}
_OPTION = re.compile(rf"--model\.(init_args\.)?({'|'.join(OF_THE_OBJECTIVE)})(?=\.|$)")


def renew_recipe(content: Any) -> tuple[Any, list[str]]:
    """A recipe, or a part of one, in today's spelling.

    Returns:
        The recipe, and `old -> new` for each change.

    Raises:
        RecipeError: It spells the same thing both ways.
    """
    changes: list[str] = []
    content = _renew_class_paths(content, changes)
    if isinstance(content, Mapping):
        if "model" in content:
            content = {**content, "model": _renew_model(content["model"], changes)}
        elif str(content.get("class_path")).startswith("tapezoo.models."):  # a file that a recipe names
            content = _renew_model(content, changes)
    return content, list(dict.fromkeys(changes))


def check_option(option: str, value: str) -> None:
    """Refuses an option or a value of the command line in its old spelling.

    Raises:
        RecipeError: Says what to write.
    """
    new = _OPTION.sub(r"--model.objective.\2", option)
    if new != option:
        raise _renamed(option, new)
    if value in CLASS_PATHS:
        raise _renamed(f"{option} {value}", f"{option} {CLASS_PATHS[value]}")


def _renew_class_paths(content: Any, changes: list[str]) -> Any:
    if isinstance(content, Mapping):
        return {key: _renew_class_paths(value, changes) for key, value in content.items()}
    if isinstance(content, list):
        return [_renew_class_paths(value, changes) for value in content]
    if isinstance(content, str) and content in CLASS_PATHS:
        changes.append(f"{content} -> {CLASS_PATHS[content]}")
        return CLASS_PATHS[content]
    return content


def _renew_model(model: Any, changes: list[str]) -> Any:
    arguments: Mapping[str, Any] = (model.get("init_args") or {}) if isinstance(model, Mapping) else {}
    old = {name: arguments[name] for name in OF_THE_OBJECTIVE if name in arguments}
    if not old:
        return model
    if arguments.get("objective") is not None:
        raise _renamed(f"model.init_args.{next(iter(old))} beside an objective", _place_of(next(iter(old))))
    changes += [f"model.init_args.{name} -> {_place_of(name)}" for name in old]
    kept = {name: value for name, value in arguments.items() if name not in old}
    return {
        **model,
        "init_args": {**kept, "objective": {"class_path": SUPERVISED, "init_args": old}},
    }


def _place_of(name: str) -> str:
    return f"model.init_args.objective.init_args.{name}"


def _renamed(old: str, new: str) -> RecipeError:
    return RecipeError(old, found="an old spelling", expected=new, fix=f"Write {new}.")
