"""What a file in JSON must hold for a page to be made of it, since somebody may have edited it."""

from __future__ import annotations

from typing import Any

NUMBER, TEXT = "a number", "text"


def fault_of(value: Any, shape: Any, place: str = "") -> str | None:
    """What is wrong with a value, in words with its place; None: nothing.

    Args:
        value: As JSON gives it.
        shape: NUMBER, TEXT, a list of the shape of its members, or a dict of the shapes of what it must have.
        place: Where it stands in the file, as in "pairs[0].name".
    """
    where = f"in {place!r}" if place else "at its top"
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return f"{shown(value)} {where}, which is no object"
        for key, inner in shape.items():
            if key not in value:
                return f"no {key!r} {where}"
            if (fault := fault_of(value[key], inner, f"{place}.{key}".removeprefix("."))) is not None:
                return fault
        return None
    if isinstance(shape, list):
        if not isinstance(value, list):
            return f"{shown(value)} {where}, which is no list"
        faults = (fault_of(one, shape[0], f"{place}[{number}]") for number, one in enumerate(value))
        return next((fault for fault in faults if fault is not None), None)
    fits = isinstance(value, str) if shape == TEXT else is_number(value)
    return None if fits else f"{shown(value)} {where}, which is not {shape}"


def is_number(value: Any) -> bool:
    """Whether it is a number; JSON has true and false too, which Python counts as numbers."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def shown(value: Any) -> str:
    """The beginning of a value, for a message."""
    return repr(value)[:60]
