"""What is random in a tape machine: wow, flutter, hiss and modulation noise, learned from recordings and made anew.

`class_path: tapezoo.tape.DiffusionUNet` in a recipe and `from tapezoo.tape import DiffusionUNet` both ask the
registry for a generator of that name, whoever ships it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from tapezoo import registry

if TYPE_CHECKING:
    from tapezoo.tape.model import GeneratorModel

OWN_MODULES = {
    "GenerativeObjective": "denoising",
    "Generator": "generator",
    "GeneratorModel": "model",
    "MeasuredNoise": "sets",
    "MeasuredTransport": "sets",
    "SignalWindows": "windows",
    "VirtualTransport": "sets",
}
"""Names that are not generators, and where they are defined."""


def resolve(name: str) -> type[GeneratorModel]:
    """The generator registered as `name`. Raises RegistrationError like `tapezoo.registry.resolve`."""
    from tapezoo.tape.model import GeneratorModel

    return registry.resolve("generators", name, GeneratorModel)


def _resolve_any(name: str) -> type:
    if name in OWN_MODULES:
        found: type = getattr(import_module(f"{__name__}.{OWN_MODULES[name]}"), name)
        return found
    return resolve(name)


__getattr__ = registry.lazy_names(__name__, _resolve_any)
