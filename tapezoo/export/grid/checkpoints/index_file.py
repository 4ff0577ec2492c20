"""index.yaml: which checkpoint is at which setting of which controls, and what the grid is measured against.

controls:
  - {name: gain, min: 0, max: 20, default: 10, unit: dB}
points:
  - {at: {gain: 0}, checkpoint: runs/clean/best.ckpt}
  - {at: {gain: 20}, checkpoint: runs/hot/best.ckpt}
reference: {device: preamp}
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tapezoo.bundle.documents import TEXT
from tapezoo.bundle.grid.index import AXIS_LIMIT, GridAxis
from tapezoo.controls import Control, control_vector
from tapezoo.export.errors import GridError
from tapezoo.export.grid.checkpoints.fields import (
    fault,
    fields_of,
    list_of,
    number_of,
    setting_name,
    values_at,
)
from tapezoo.export.grid.sample import Place
from tapezoo.export.grid.spec import check_size
from tapezoo.terminal import shown
from tapezoo.yamltext import YamlError, read_yaml

POINT_LIMIT = 4096
CONTROL_KEYS = ("name", "min", "max", "default", "unit", "curve")
RECORDING_KEYS = ("at", "dry", "wet")
TEXT_RULE = "a name, and both at most 200 characters that are all visible"


@dataclass(frozen=True)
class PointFile:
    """One point.

    Args:
        place: Position 0..1 of each control.
        name: Its setting in the user's units, for messages.
        checkpoint: Its net.
        written: The checkpoint as the file names it.
    """

    place: Place
    name: str
    checkpoint: Path
    written: str


@dataclass(frozen=True)
class DeviceReference:
    """A virtual device that the points were trained on.

    Args:
        device: Its name.
        settings: Of its knobs that are no control of the grid, in their units.
    """

    device: str
    settings: Mapping[str, float]


@dataclass(frozen=True)
class Recording:
    """What the machine made of a signal at one setting; dry and wet are aligned."""

    place: Place
    name: str
    dry: Path
    wet: Path


@dataclass(frozen=True)
class GridFile:
    """Everything index.yaml says, checked as far as that goes without opening another file.

    Args:
        path: Of the file.
        controls: All are axes of the grid, in this order.
        axes: Where there are points.
        points: In C order of the axes.
        reference: A device, recordings at settings between the points, or nothing.
    """

    path: Path
    controls: tuple[Control, ...]
    axes: tuple[GridAxis, ...]
    points: tuple[PointFile, ...]
    reference: DeviceReference | tuple[Recording, ...]

    def values(self, place: Place) -> dict[str, float]:
        """A place in the user's units, by control."""
        return {
            control.name: control.denormalize(position)
            for control, position in zip(self.controls, place, strict=True)
        }


def read_grid_file(path: Path) -> GridFile:
    """Reads and checks an index file; paths in it are relative to it.

    Raises:
        GridError: Unreadable, or a key that is missing, unknown or of the wrong kind; a setting without a checkpoint
            or with two; too many points or axes.
        ControlError: A point names a control that is not there, or a value outside its range.
    """
    content = _content(path)
    controls = tuple(_control(path, entry) for entry in list_of(path, content, "controls"))
    names = [control.name for control in controls]
    if not 1 <= len(controls) <= AXIS_LIMIT or len(set(names)) < len(names):
        raise fault(path, f"the controls {', '.join(names) or 'none'}", f"1 to {AXIS_LIMIT} different ones")
    points: dict[Place, PointFile] = {}
    axis_values: list[dict[float, float]] = [{} for _ in controls]
    for number, entry in enumerate(list_of(path, content, "points"), 1):
        what = f"point {number}"
        fields = fields_of(path, what, entry, ("at", "checkpoint"))
        written = fields["checkpoint"]
        if not isinstance(written, str):
            raise fault(path, f"{what} with the checkpoint {shown(written)}", "a path")
        at = values_at(path, what, fields["at"], controls)
        place = tuple(control_vector(controls, at))
        point = PointFile(place, setting_name(controls, at), path.parent / written, written)
        if place in points:
            raise GridError(
                f"{path}, {what} at {point.name}",
                found=f"{written} beside {points[place].written}",
                expected="one checkpoint at each setting",
                fix="Remove one of the two, or correct its values.",
            )
        points[place] = point
        for axis, control, position in zip(axis_values, controls, place, strict=True):
            axis[position] = at[control.name]
    axes = tuple(_axis(path, *pair) for pair in zip(controls, axis_values, strict=True))
    check_size(axes, POINT_LIMIT)
    places = list(itertools.product(*(axis.positions for axis in axes)))
    if missing := [place for place in places if place not in points]:
        values = [dict(zip(axis.positions, axis.values, strict=True)) for axis in axes]
        settings = [
            setting_name(controls, {c.name: v[p] for c, v, p in zip(controls, values, place, strict=True)})
            for place in missing
        ]
        more = f" and {len(settings) - 3} more" if len(settings) > 3 else ""
        raise GridError(
            str(path),
            found=f"no checkpoint at {'; '.join(settings[:3])}{more}",
            expected=f"one at each of the {len(places)} combinations of the values that occur",
            fix="Train what is missing, or remove values that do not occur in every combination.",
        )
    reference = _reference(path, content.get("reference"), controls)
    return GridFile(path, controls, axes, tuple(points[place] for place in places), reference)


def _content(path: Path) -> dict[str, Any]:
    try:
        content = read_yaml(path)
    except OSError as error:
        raise fault(path, f"a file that cannot be read ({error.strerror})", "a YAML file") from error
    except YamlError as error:
        raise GridError(str(path), found=error.found, expected=error.expected, fix=error.fix) from error
    return fields_of(path, "the file", content, ("controls", "points"), ("reference",))


def _control(path: Path, entry: Any) -> Control:
    fields = fields_of(path, "a control", entry, CONTROL_KEYS[:4], CONTROL_KEYS[4:])
    texts = [fields["name"], fields.get("unit", ""), fields.get("curve", "linear")]
    if not all(isinstance(text, str) for text in texts):
        raise fault(path, f"a control with {shown(texts)}", "name, unit and curve as text")
    name, unit, curve = texts
    if not name or not all(re.fullmatch(TEXT, text) for text in (name, unit)):
        raise fault(path, f"a control called {shown(name)} in {shown(unit)}", TEXT_RULE)
    low, high, default = (number_of(path, f"control {name!r}", key, fields[key]) for key in CONTROL_KEYS[1:4])
    if not math.isfinite(high - low):
        raise fault(path, f"control {name!r} from {low:g} to {high:g}", "a finite range")
    return Control(name, low, high, default, unit, curve)


def _axis(path: Path, control: Control, values: Mapping[float, float]) -> GridAxis:
    if len(values) < 2:
        raise fault(
            path, f"points at a single value of {control.name!r}", "two or more values of every control"
        )
    positions = tuple(sorted(values))
    return GridAxis.of(control, positions, (values[position] for position in positions))


def _reference(
    path: Path, content: Any, controls: Sequence[Control]
) -> DeviceReference | tuple[Recording, ...]:
    if content is None:
        return ()
    if isinstance(content, Mapping) and "recordings" in content:
        fields = fields_of(path, "the reference", content, ("recordings",))
        entries = enumerate(list_of(path, fields, "recordings"), 1)
        return tuple(_recording(path, f"recording {number}", entry, controls) for number, entry in entries)
    fields = fields_of(path, "the reference", content, ("device",), ("settings",))
    settings = fields.get("settings", {})
    if not isinstance(fields["device"], str) or not isinstance(settings, Mapping):
        raise fault(path, f"the reference {shown(content)}", "a device's name, and settings by name")
    settings = {
        str(name): number_of(path, "the reference", str(name), value) for name, value in settings.items()
    }
    if both := sorted(set(settings) & {control.name for control in controls}):
        raise fault(
            path, f"the reference setting {both[0]}", "settings of knobs that are not controls of the grid"
        )
    return DeviceReference(fields["device"], settings)


def _recording(path: Path, what: str, entry: Any, controls: Sequence[Control]) -> Recording:
    fields = fields_of(path, what, entry, RECORDING_KEYS)
    at = values_at(path, what, fields["at"], controls)
    if not all(isinstance(fields[key], str) for key in ("dry", "wet")):
        raise fault(path, f"{what} with {shown(fields['dry'])} and {shown(fields['wet'])}", "two paths")
    place = tuple(control_vector(controls, at))
    files = (path.parent / fields[key] for key in ("dry", "wet"))
    return Recording(place, setting_name(controls, at), *files)
