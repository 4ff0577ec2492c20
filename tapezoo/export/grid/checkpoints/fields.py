"""The fields of index.yaml: each is of the right kind, or the error names its place."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tapezoo.controls import Control, ControlError, control_vector
from tapezoo.export.errors import GridError
from tapezoo.terminal import shown
from tapezoo.yamltext import kind_of


def values_at(path: Path, what: str, at: Any, controls: Sequence[Control]) -> dict[str, float]:
    """A setting: one value for every control, in its unit."""
    names = {control.name for control in controls}
    if not isinstance(at, Mapping) or not names >= set(at):
        found = f"{what} at {shown(at)}"
        raise fault(path, found, f"a value for each of {', '.join(sorted(names))}")
    if missing := sorted(names - set(at)):
        raise fault(path, f"{what} without {', '.join(missing)}", "a value for every control")
    values = {str(name): number_of(path, what, str(name), value) for name, value in at.items()}
    try:
        control_vector(controls, values)
    except ControlError as error:
        raise fault(path, f"{what} at {error.found} of {error.subject}", error.expected) from error
    return values


def fields_of(
    path: Path, what: str, entry: Any, needed: Sequence[str], possible: Sequence[str] = ()
) -> dict[str, Any]:
    """A mapping with exactly the keys it needs, and perhaps some it may have."""
    if not isinstance(entry, Mapping) or not set(needed) <= set(entry) <= {*needed, *possible}:
        keys = [shown(str(key)).strip("'") for key in entry] if isinstance(entry, Mapping) else []
        found = f"the keys {', '.join(keys[:10])}" if keys else kind_of(entry)
        optional = f", and perhaps {', '.join(possible)}" if possible else ""
        raise fault(path, f"{what} with {found}", f"the keys {', '.join(needed)}{optional}")
    return {str(key): value for key, value in entry.items()}


def list_of(path: Path, content: Mapping[str, Any], key: str) -> list[Any]:
    """A list that is not empty."""
    if not isinstance(content[key], list) or not content[key]:
        raise fault(path, f"{key}: {shown(content[key])}", f"a list under {key}")
    return list(content[key])


def number_of(path: Path, what: str, name: str, value: Any) -> float:
    """A finite number, which a truth value is not."""
    try:
        number = math.nan if isinstance(value, bool) or not isinstance(value, int | float) else float(value)
    except OverflowError:  # an integer too large for a float, with too many digits to show
        raise fault(path, f"{what} with {name} too large for a float", "a finite number") from None
    if not math.isfinite(number):
        raise fault(path, f"{what} with {name} {shown(value)}", "a finite number")
    return number


def fault(path: Path, found: str, expected: str) -> GridError:
    """The fault, with the usual advice."""
    return GridError(
        str(path), found=found, expected=expected, fix="Correct it; docs/grids.md shows the format."
    )


def setting_name(controls: Sequence[Control], at: Mapping[str, float]) -> str:
    """Values by name as messages say them: gain=5 dB, tone=0.2."""
    return ", ".join(f"{control.name}={at[control.name]:g} {control.unit}".rstrip() for control in controls)
