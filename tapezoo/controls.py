"""The knobs of a machine: user values have units, nets receive positions 0..1."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from numbers import Real
from typing import Any

from tapezoo.errors import TapezooError


class ControlError(TapezooError):
    """An unknown control, or a value outside its range."""


@dataclass(frozen=True)
class Control:
    """One knob.

    Args:
        name: Name in pairs files and on the command line.
        min: Lowest value, in `unit`.
        max: Highest value, in `unit`.
        default: Value of the knob where none is given, in `unit`.
        unit: Unit as shown to the user: "dB", "ms", or "" for a plain number.
        curve: "linear", or "log" for knobs that work in ratios (then `min` > 0).
        switch: Whether it chooses a machine, so that nothing can be recorded between its values; None: unknown, as
            in bundles, in old checkpoints, and where a user declares a control. Ignored when controls are compared.
    """

    name: str
    min: float = 0.0
    max: float = 1.0
    default: float = 0.5
    unit: str = ""
    curve: str = "linear"
    switch: bool | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.curve not in ("linear", "log"):
            raise self._error(f"curve {self.curve!r}", "'linear' or 'log'")
        if self.switch not in (None, False, True):
            raise self._error(f"switch {self.switch!r}", "True, False or None")
        if not self.min < self.max or (self.curve == "log" and self.min <= 0):
            raise self._error(
                f"a range of {self.min} to {self.max}", "min < max, and min > 0 for a log curve"
            )
        if not self.min <= self.default <= self.max:
            raise self._error(f"default {self.default}", f"{self.min} to {self.max}")

    def normalize(self, value: float) -> float:
        """`value` in the user's unit -> 0..1. Raises ControlError outside the range."""
        if not self.min <= value <= self.max:
            raise self._error(f"{value}", f"{self.min} to {self.max} {self.unit}".rstrip())
        if self.curve == "log":
            return math.log(value / self.min) / math.log(self.max / self.min)
        return (value - self.min) / (self.max - self.min)

    def denormalize(self, position: float) -> float:
        """0..1 -> the user's unit."""
        if self.curve == "log":
            return self.min * math.pow(self.max / self.min, position)
        return self.min + position * (self.max - self.min)

    def shown(self, position: float) -> str:
        """0..1 -> the user's unit as text, without the rounding error of single precision.

        >>> Control("gain", -5.0, 20.0, 10.0).shown(0.20000000298)
        '0'
        """
        digits = 5 - math.floor(math.log10(self.max - self.min))
        return f"{round(self.denormalize(position), digits) + 0.0:.6g}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as checkpoints store them; without `switch` if it is None."""
        values = asdict(self)
        if self.switch is None:
            del values["switch"]
        return values

    def _error(self, found: str, expected: str) -> ControlError:
        return ControlError(f"control {self.name!r}", found=found, expected=expected, fix="Change the value.")


def control_vector(controls: Sequence[Control], values: Mapping[str, float]) -> list[float]:
    """Values by name in user units -> one net position 0..1 per control, defaults where a name is missing.

    Raises:
        ControlError: An unknown name, or a value that is not a number or outside its range.
    """
    known = [control.name for control in controls]
    for name, value in values.items():
        if name not in known:
            raise ControlError(
                f"control {name!r}",
                found="no such control",
                expected=f"one of {', '.join(known)}" if known else "no control: this model has none",
                fix="Correct the name.",
            )
        # text from a form, None, True, a complex number: not every caller is typed
        given: Any = value
        if isinstance(given, bool) or not isinstance(given, Real):
            raise ControlError(
                f"control {name!r}",
                found=f"{value!r}",
                expected="a number in the control's own unit",
                fix="Change the value.",
            )
    return [control.normalize(values.get(control.name, control.default)) for control in controls]


def ranges_text(controls: Sequence[Control]) -> str:
    """Name, range, unit and curve of every control, which define the meaning of a net position."""
    texts = (
        f"{control.name} {control.min:g} to {control.max:g} {control.unit} ({control.curve})"
        for control in controls
    )
    return ", ".join(texts) or "none"


def parse_decimal(text: str) -> float:
    """A decimal number. Python's 1_0, which is 10, is refused.

    Raises:
        ValueError: It is not a decimal number.
    """
    if "_" in text:
        raise ValueError(f"{text!r} is no decimal number")
    return float(text)


def parse_settings(assignments: Sequence[str]) -> dict[str, float]:
    """`["drive=0.5", ...]` as typed on a command line -> values by name.

    Raises:
        ControlError: Not of the form NAME=NUMBER, or a repeated name.
    """
    settings: dict[str, float] = {}
    for assignment in assignments:
        name, _, value = assignment.partition("=")
        name = name.strip()
        if name in settings:
            raise ControlError(
                "--set",
                found=f"two values for {name}",
                expected="each control once",
                fix="Remove one of the two.",
            )
        try:
            settings[name] = parse_decimal(value)
        except ValueError as error:
            raise ControlError(
                "--set",
                found=repr(assignment),
                expected="NAME=NUMBER, such as drive=0.5",
                fix="Write the control's name, an equals sign and its value.",
            ) from error
    return settings
