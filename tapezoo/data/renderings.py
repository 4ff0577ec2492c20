"""Which machines are rendered at which settings, and what the data set's controls are."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tapezoo.controls import Control, control_vector
from tapezoo.data.errors import DataError
from tapezoo.devices import Device
from tapezoo.devices.device import fill_defaults

Values = float | list[float]
Settings = Mapping[str, Values | Mapping[str, Values]]

MAX_RENDERINGS = 256  # a typing error could otherwise cause days of rendering


@dataclass(frozen=True)
class Rendering:
    """One machine at one setting.

    Args:
        device: The machine.
        settings: Its control values in their own units; its defaults where one is missing.
        positions: Of the data set's controls, 0..1.
        idle: Which of the data set's controls this machine does not have: knobs of the other machines of a
            hybrid. Training draws them anew for every batch, so that a model learns to ignore them.
    """

    device: Device
    settings: Mapping[str, float]
    positions: tuple[float, ...]
    idle: tuple[int, ...] = ()

    @property
    def values(self) -> dict[str, float]:
        """Every control of the machine in its own unit, defaults filled in."""
        return fill_defaults(self.device.controls, self.settings)

    @property
    def name(self) -> str:
        """The machine and what was set, for reports."""
        said = " ".join(f"{name} {_exact_text(value)}" for name, value in self.settings.items())
        return f"{self.device.name} {said}".rstrip()


def renderings_of(devices: Sequence[Device], settings: Settings) -> tuple[list[Control], list[Rendering]]:
    """The controls of a data set and what must be rendered for it.

    A value in `settings` fixes a knob; a list of values makes it a control of the data set, and every
    combination of the listed values of one machine is rendered. Several machines are a hybrid, whose first
    controls choose the machine: for two machines `blend`, 0 the first and 1 the second, for more one control
    each, named like the machine, 1 where it plays and 0 elsewhere (Simionato, Fasciani, "Hybrid neural audio
    effects", SMC 2024). Knobs of a hybrid are named `machine_knob`, and their settings are nested under the
    machine's name.

    Args:
        devices: One machine, or several different ones.
        settings: By name of the knob; for several machines by machine, then by knob.

    Raises:
        ControlError: A knob that the machine does not have, or a value out of its range.
        DataError: A machine twice, settings of a machine that is not there, a list of fewer than
            two different values, or too many combinations.
    """
    names = [device.name for device in devices]
    if len(set(names)) < len(names) or not names:
        raise _fault("--data.device", ", ".join(names) or "no machine", "different machines, one or more")
    own = {names[0]: settings} if len(devices) == 1 else _split_settings(names, settings)
    knobs = [_knobs(device, own.get(device.name, {})) for device in devices]
    count = sum(math.prod(len(values) for values in varied.values()) for _, varied in knobs)
    if count > MAX_RENDERINGS:
        raise _fault("--data.settings", f"{count} combinations", f"at most {MAX_RENDERINGS}")

    controls = _selectors(names)
    chosen = num_selectors(len(devices))
    for device, (_, varied) in zip(devices, knobs, strict=True):
        prefix = "" if len(devices) == 1 else f"{device.name}_"
        controls += [
            _control(prefix, _control_named(device, name), values) for name, values in varied.items()
        ]
    defaults = control_vector(controls, {})
    renderings = []
    first = chosen
    for number, (device, (fixed, varied)) in enumerate(zip(devices, knobs, strict=True)):
        mine = range(first, first + len(varied))
        first += len(varied)
        idle = tuple(index for index in range(chosen, len(controls)) if index not in mine)
        for combination in itertools.product(*varied.values()):
            positions = _selector_positions(number, len(devices)) + defaults[chosen:]
            for index, value in zip(mine, combination, strict=True):
                positions[index] = controls[index].normalize(value)
            at = fixed | dict(zip(varied, combination, strict=True))
            renderings.append(Rendering(device, at, tuple(positions), idle))
    return controls, renderings


def num_selectors(machines: int) -> int:
    """How many controls choose among so many machines; they come first."""
    return machines if machines > 2 else machines - 1


def _selectors(names: Sequence[str]) -> list[Control]:
    if len(names) == 1:
        return []
    if len(names) == 2:
        return [Control("blend", default=0.0)]
    return [Control(name, default=float(number == 0)) for number, name in enumerate(names)]


def _selector_positions(number: int, machines: int) -> list[float]:
    if machines == 1:
        return []
    if machines == 2:
        return [float(number)]
    return [float(number == other) for other in range(machines)]


def _split_settings(names: Sequence[str], settings: Settings) -> dict[str, Mapping[str, Values]]:
    own: dict[str, Mapping[str, Values]] = {}
    for name, section in settings.items():
        if name not in names or not isinstance(section, Mapping):
            raise _fault(
                "--data.settings",
                f"{name}: {section!r}",
                f"settings under the name of a machine, one of {', '.join(names)}",
            )
        own[name] = section
    return own


def _knobs(device: Device, section: Settings) -> tuple[dict[str, float], dict[str, list[float]]]:
    """What is fixed, and what is varied, in the order of the machine's own controls; all checked."""
    fixed: dict[str, float] = {}
    varied: dict[str, list[float]] = {}
    known = [control.name for control in device.controls]
    # known knobs in the machine's order, then unknown ones, for control_vector to refuse
    for name in [*(name for name in known if name in section), *(set(section) - set(known))]:
        values = section[name]
        if isinstance(values, Mapping):
            raise _fault("--data.settings", f"{name}: {values!r}", "a value or a list of values")
        if not isinstance(values, list):
            fixed[name] = float(values)
            control_vector(device.controls, {name: fixed[name]})
            continue
        for value in values:
            control_vector(device.controls, {name: value})
        if len(set(values)) < 2:
            raise _fault("--data.settings", f"{name}: {values!r}", "two or more different values in a list")
        varied[name] = sorted({float(value) for value in values})
    return fixed, varied


def _control_named(device: Device, name: str) -> Control:
    return next(control for control in device.controls if control.name == name)


def _control(prefix: str, knob: Control, values: Sequence[float]) -> Control:
    """The data set's control: it ranges over what was rendered."""
    low, high = min(values), max(values)
    default = min(max(knob.default, low), high)
    return Control(f"{prefix}{knob.name}", low, high, default, knob.unit, knob.curve)


def _exact_text(value: float) -> str:
    """A number with all its digits: two settings must not share a name."""
    short = f"{value:g}"
    return short if float(short) == value else repr(float(value))


def _fault(subject: str, found: str, expected: str) -> DataError:
    return DataError(subject, found=found, expected=expected, fix="Correct the recipe.")
