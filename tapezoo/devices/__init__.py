"""Virtual analog machines: the built-in ground truth, and programme material to play through them."""

from __future__ import annotations

import inspect
from typing import Any

from tapezoo.devices.compressor import Compressor
from tapezoo.devices.device import Device, DeviceOptionError, DeviceSignalError, UnknownDeviceError
from tapezoo.devices.preamp import Preamp
from tapezoo.devices.program import KINDS, Excerpt, program_material
from tapezoo.devices.tape import Tape

DEVICES: dict[str, type[Device]] = {machine.name: machine for machine in (Compressor, Tape, Preamp)}

__all__ = [
    "DEVICES",
    "KINDS",
    "Compressor",
    "Device",
    "DeviceOptionError",
    "DeviceSignalError",
    "Excerpt",
    "Preamp",
    "Tape",
    "UnknownDeviceError",
    "device",
    "program_material",
]


def device(name: str, **options: Any) -> Device:
    """The virtual device of this name.

    Args:
        name: One of `DEVICES`.
        options: Construction options of that device.

    Raises:
        UnknownDeviceError: No device has this name; the message lists the known ones.
        DeviceOptionError: The device has no such option, or refuses its value.
    """
    if name not in DEVICES:
        raise UnknownDeviceError(
            f"device {name!r}",
            found="no such device",
            expected=f"one of {', '.join(sorted(DEVICES))}",
            fix="Correct the name.",
        )
    known = inspect.signature(DEVICES[name]).parameters
    for option in options:
        if option not in known:
            raise DeviceOptionError(
                f"device {name!r}, option {option!r}",
                found="no such option",
                expected=f"one of {', '.join(known)}",
                fix="Correct the name.",
            )
    return DEVICES[name](**options)
