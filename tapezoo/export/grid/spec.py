"""Where a grid is sampled, as typed: `drive=0:1:11,bias=-6/0/6`.

An axis is NAME=START:STOP:COUNT, evenly spaced in the control's unit; NAME=START:STOP:COUNT:log, evenly spaced in
ratios; or NAME=VALUE/VALUE/..., explicit values. Values are in the control's own unit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise
from math import prod

import numpy as np

from tapezoo.bundle.grid.index import AXIS_LIMIT, GridAxis
from tapezoo.controls import Control, ControlError, parse_decimal, parse_settings, ranges_text
from tapezoo.export.errors import GridError

SAMPLED_POINT_LIMIT = 4096  # each is exported and listened to: hours beyond it
FORMS = (
    "NAME=START:STOP:COUNT, NAME=START:STOP:COUNT:log or NAME=VALUE/VALUE/..., several separated by commas"
)


def parse_axes(text: str, controls: Sequence[Control]) -> tuple[GridAxis, ...]:
    """The axes of a grid, in the order they were typed.

    >>> [axis] = parse_axes("drive=0:10:3", [Control("drive", 0, 10, 5, "dB")])
    >>> axis.positions, axis.values
    ((0.0, 0.5, 1.0), (0.0, 5.0, 10.0))

    Args:
        text: See the module.
        controls: Of the net.

    Raises:
        GridError: Not of a known form, an unknown control, one twice, values outside its range or not rising, too many
            axes or points.
    """
    axes = tuple(_axis(part.strip(), controls) for part in text.split(","))
    names = [axis.control for axis in axes]
    if len(set(names)) < len(names):
        raise _error(text, f"{_find_repeated(names)} twice", "each control once", "Merge the two axes.")
    check_size(axes, SAMPLED_POINT_LIMIT)
    return axes


def check_size(axes: Sequence[GridAxis], limit: int) -> None:
    """Raises GridError where the axes make more than `limit` points, or are too many."""
    points = prod(len(axis.positions) for axis in axes)
    if points > limit or len(axes) > AXIS_LIMIT:
        raise GridError(
            "the grid",
            found=f"{points} points on {len(axes)} axes",
            expected=f"at most {limit} points and {AXIS_LIMIT} axes",
            fix="Take fewer values or hold a control; or raise --max-points if that is the limit.",
        )


def parse_held(
    assignments: Sequence[str], axes: Sequence[GridAxis], controls: Sequence[Control]
) -> dict[str, float]:
    """Every control that is no axis, at its value in its unit: as assigned, or its default.

    Args:
        assignments: NAME=VALUE, as typed.
        axes: Of the grid.
        controls: Of the net.

    Raises:
        GridError: Not of that form, an unknown control, an axis, a value outside the range.
    """
    names = [assignment.partition("=")[0].strip() for assignment in assignments]
    if len(set(names)) < len(names):
        raise GridError(
            f"the grid {_find_repeated(names)}",
            found="two values for it",
            expected="each control once",
            fix="Remove one of the two.",
        )
    try:
        given = parse_settings(assignments)
    except ControlError as error:
        subject = f"the grid {error.found}"  # quoted already
        expected = "NAME=NUMBER, such as bias=0"
        raise GridError(subject, found="no assignment", expected=expected, fix="Correct it.") from error
    sampled = [axis.control for axis in axes]
    for name, value in given.items():
        if name in sampled:
            raise _error(
                f"{name}={value:g}",
                "a control that is an axis",
                "a control without an axis",
                "Remove one of the two.",
            )
        _position(f"{name}={value:g}", _control(name, name, controls), value)
    return {
        control.name: given.get(control.name, control.default)
        for control in controls
        if control.name not in sampled
    }


def _axis(part: str, controls: Sequence[Control]) -> GridAxis:
    name, equals, points = part.partition("=")
    if not equals:
        raise _error(part, "no equals sign", FORMS, "Say which values the control takes.")
    control = _control(part, name.strip(), controls)
    values = _range(part, points) if ":" in points else [_number(part, value) for value in points.split("/")]
    positions = [_position(part, control, value) for value in values]
    if len(values) < 2 or not all(low < high for low, high in pairwise(positions)):
        found = f"the values {', '.join(f'{value:g}' for value in values)}"
        fix = f"To hold a control, give it no axis and --grid-set {control.name}=VALUE."
        raise _error(part, found, "two or more, rising", fix)
    return GridAxis.of(control, positions, values)


def _range(part: str, points: str) -> list[float]:
    start, stop, count, *scale = [*points.split(":"), ""] if points.count(":") == 1 else points.split(":")
    if [word.strip() for word in scale] not in ([], ["log"]) or not re.fullmatch(r"\d{1,9}", count.strip()):
        raise _error(part, repr(points), FORMS, "Write it as one of these; COUNT is a whole number.")
    low, high, number = _number(part, start), _number(part, stop), int(count)
    if number > SAMPLED_POINT_LIMIT:
        raise _error(part, f"{number} values", f"{SAMPLED_POINT_LIMIT} at most", "Take fewer.")
    if low > high:
        raise _error(part, f"{low:g} to {high:g}", "a range that rises", "Swap START and STOP.")
    if scale and low <= 0:
        raise _error(part, f"a log axis from {low:g}", "a start above 0", "Start higher, or leave out :log.")
    spaced = np.geomspace(low, high, number) if scale else np.linspace(low, high, number)
    # both end exactly at their ends; between them rounding must not leave the range
    return [min(max(float(value), low), high) for value in spaced] if low < high else [low, high]


def _control(part: str, name: str, controls: Sequence[Control]) -> Control:
    for control in controls:
        if control.name == name:
            return control
    possible = f"one of {ranges_text(controls)}" if controls else "a model with controls: this one has none"
    raise _error(part, f"a control {name!r} that the model does not have", possible, "Correct the name.")


def _number(part: str, text: str) -> float:
    try:
        number = parse_decimal(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise _error(part, f"{text!r} for a number", FORMS, "Correct it.")
    return number


def _position(part: str, control: Control, value: float) -> float:
    try:
        return control.normalize(value)
    except ControlError as error:
        raise _error(
            part, f"{control.name} at {value:g}", error.expected, "Stay inside the range."
        ) from error


def _find_repeated(names: Sequence[str]) -> str:
    return next(repr(name) for name in names if names.count(name) > 1)


def _error(asked: str, found: str, expected: str, fix: str) -> GridError:
    return GridError(f"the grid {asked!r}", found=found, expected=expected, fix=fix)
