"""What `tapezoo measure` is given: machines by name, and what they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tapezoo.errors import ArgumentsError

if TYPE_CHECKING:
    from tapezoo.controls import Control
    from tapezoo.measure.machine.machine import Machine

DEVICE = "device:"
DEFAULT_RATE_HZ = 44_100


def is_device(name: str) -> bool:
    """Whether it names a virtual machine."""
    return name.startswith(DEVICE)


def check_known(name: str) -> None:
    """Refuses what is not there, before anything is imported."""
    if is_device(name):
        from tapezoo import registry

        kind = name.removeprefix(DEVICE).partition(",")[0]
        if kind not in [entry.name for entry in registry.registrations("devices")]:
            registry.load("devices", kind)  # says so
    else:
        from tapezoo.cli.render import bundle_of
        from tapezoo.run_files import is_sound

        if is_sound(Path(name)):
            raise ArgumentsError(
                "tapezoo measure",
                f"{name}, one sound file, in place of a machine; a recording is two, DRY.wav WET.wav, "
                "and the machine follows --against",
            )
        bundle_of(Path(name))


def open_all(names: Sequence[str], settings: dict[str, float], rate: int | None, seed: int) -> list[Machine]:
    """Machines in their order; a virtual one at the rate of the other."""
    from tapezoo.controls import ControlError
    from tapezoo.measure.pair_scores import check_rates

    found: dict[int, tuple[Machine, Sequence[Control]]] = {}
    for number, name in enumerate(names):
        if not is_device(name):
            found[number] = _open_model(Path(name), settings)
            rate = rate or found[number][0].sample_rate
    for number, name in enumerate(names):
        if is_device(name):
            found[number] = _open_device(name, settings, rate or DEFAULT_RATE_HZ, seed)
    opened = [found[number] for number in range(len(names))]
    known = {control.name for _, controls in opened for control in controls}
    if unknown := [name for name in settings if opened and name not in known]:
        raise ControlError(
            f"control {unknown[0]!r}",
            found="no machine with a control of this name",
            expected=", ".join(sorted(known)) or "no --set: there are no controls",
            fix="Correct the name.",
        )
    machines = [machine for machine, _ in opened]
    if len(machines) == 2:
        if machines[0].name == machines[1].name:  # as best.ckpt in two folders called lstm
            machines = [replace(machine, name=name) for machine, name in zip(machines, names, strict=True)]
        check_rates(*((machines[0].name, machines[0].sample_rate, machines[1].name, machines[1].sample_rate)))
    return machines


def _open_device(
    name: str, settings: dict[str, float], rate: int, seed: int
) -> tuple[Machine, Sequence[Control]]:
    from tapezoo.controls import control_vector
    from tapezoo.devices import device
    from tapezoo.measure.machine.machine import machine_of_device

    kind, *options = name.removeprefix(DEVICE).split(",")
    try:
        made = device(kind, **dict(_option(text) for text in options))
    except TypeError as error:  # text where the device computes with a number
        raise ArgumentsError(
            "tapezoo measure", f"{name}, an option of another type than the machine takes ({error})"
        ) from error
    own = _own(settings, made.controls)
    control_vector(made.controls, own)  # says what is out of range
    return machine_of_device(made, name, rate, own, seed), made.controls


def _option(text: str) -> tuple[str, float | str]:
    """NAME=VALUE of a virtual machine's construction."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ArgumentsError(
            "tapezoo measure", f"{text!r}; options of a device are NAME=VALUE with commas between"
        )
    try:
        return name, float(value)
    except ValueError:
        return name, value


def _open_model(path: Path, settings: dict[str, float]) -> tuple[Machine, Sequence[Control]]:
    from tapezoo.cli.render import bundle_of
    from tapezoo.controls import control_vector
    from tapezoo.measure.machine.machine import machine_of_bundle, machine_of_net

    bundle = bundle_of(path)
    if bundle is not None:
        from tapezoo.bundle import read_manifest

        controls = read_manifest(bundle).controls
        own = _own(settings, controls)
        control_vector(controls, own)  # says what is out of range
        return machine_of_bundle(bundle, path.name, own), controls
    from tapezoo.cli.lean import import_lightning

    import_lightning()
    import torch

    from tapezoo.checkpoint import load_model
    from tapezoo.run_files import BEST, LAST, best_checkpoint

    torch.set_num_threads(1)
    model = load_model(best_checkpoint(path))
    model.net.eval()
    positions = control_vector(model.controls, _own(settings, model.controls))
    name = path.parent.name if path.name in (BEST, LAST) else path.name
    return machine_of_net(model.net, name or path.name, model.sample_rate, positions), model.controls


def _own(settings: dict[str, float], controls: Sequence[Control]) -> dict[str, float]:
    names = {control.name for control in controls}
    return {name: value for name, value in settings.items() if name in names}
