"""Virtual analog machines: the built-in ground truth, and program material to play through them."""

from __future__ import annotations

import inspect
from typing import Any

from tapezoo import registry
from tapezoo.devices.device import Device, DeviceError
from tapezoo.devices.program import KINDS, Excerpt, program_material

__all__ = ["KINDS", "Device", "DeviceError", "Excerpt", "device", "program_material", "resolve"]


def resolve(name: str) -> type[Device]:
    """The class registered as `name`, whoever ships it. Raises RegistrationError like `tapezoo.registry.resolve`."""
    return registry.resolve("devices", name, Device, own_name=lambda found: found.name)  # type: ignore[type-abstract]


def device(name: str, **options: Any) -> Device:
    """The virtual device with this name.

    Args:
        name: As `tapezoo list devices` shows it.
        options: Construction options of that device.

    Raises:
        RegistrationError: No device has this name; the message has the nearest and all known names.
        DeviceError: The device lacks one of the options, or refuses its value.
    """
    found = resolve(name)
    known = inspect.signature(found).parameters
    for option in options:
        if option not in known:
            raise DeviceError(
                f"device {name!r}, option {option!r}",
                found="no such option",
                expected=f"one of {', '.join(known)}" if known else "no option",
                fix="Correct the name.",
            )
    return found(**options)
