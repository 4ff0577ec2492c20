"""An option that nothing has: who does not have it, and which one may have been meant."""

from __future__ import annotations

import re
from collections.abc import Collection
from pkgutil import resolve_name

from jsonargparse import ArgumentParser

from tapezoo.nearest import nearest_names

_OF_CLASS = re.compile(r".*class_path '([\w.]+)': Option '([^']+)' is not accepted")
_OF_CALLABLE = re.compile(r".*Option '([^']+)' is not accepted\. Got value: Namespace\(class_path='([\w.]+)'")
_OF_LINE = re.compile(r"unrecognized arguments: --([\w.-]+)")


def with_nearest_option(message: str, options: Collection[str]) -> str:
    """The message in plain words where it is about an unknown option; any other as it is.

    Args:
        message: What jsonargparse says.
        options: That the line may have, without their dashes: "trainer.max_epochs".
    """
    if found := _OF_CALLABLE.match(message):
        return _said(found[2], found[1], _options_of(found[2]))
    if found := _OF_CLASS.match(message):
        return _said(found[1], found[2], _options_of(found[1]))
    if found := _OF_LINE.match(message):
        return _said("the command line", f"--{found[1]}", [f"--{option}" for option in options])
    return message


def _said(owner: str, name: str, options: list[str]) -> str:
    message = f"{owner} has no option {name!r}"
    if near := nearest_names(name, options) or same_section(name, options):
        message += f"; did you mean {near[0]!r}?"
    return message if owner == "the command line" else f"{message} (its options: {', '.join(options)})"


def same_section(name: str, options: Collection[str]) -> list[str]:
    """--modell.hidden_size: the first part is known nowhere, and the rest belongs to a class."""
    section, dot, rest = name.partition(".")
    sections = {option.partition(".")[0] for option in options}
    near = nearest_names(section, sections - {section})
    return [f"{near[0]}.{rest}"] if dot and section not in sections and near else []


def _options_of(class_path: str) -> list[str]:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(resolve_name(class_path))  # the message names it: it is imported already
    names = (name.partition(".")[0] for name in parser.get_defaults(skip_validation=True).keys())  # noqa: SIM118
    return list(dict.fromkeys(name for name in names if name != "params"))  # tapezoo gives an optimizer those
