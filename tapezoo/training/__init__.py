"""How a net is trained: objectives by name, from any distribution; the module around a net; learning-rate schedules.

`class_path: tapezoo.training.Supervised` in a recipe and `from tapezoo.training import Supervised` both ask the
registry.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from tapezoo import registry

if TYPE_CHECKING:
    from tapezoo.training.aim import Aim

OWN_MODULES = {"CosineDecay": "schedules", "EffectModel": "effect", "Objective": "objective", "SOAP": "soap"}
"""Names that are not objectives, and where they are defined."""


def resolve(name: str) -> type[Aim]:
    """The objective registered as `name`. Raises RegistrationError like `tapezoo.registry.resolve`."""
    from tapezoo.training.aim import Aim

    return registry.resolve("objectives", name, Aim)


def _resolve_any(name: str) -> type:
    if name in OWN_MODULES:
        found: type = getattr(import_module(f"{__name__}.{OWN_MODULES[name]}"), name)
        return found
    return resolve(name)


__getattr__ = registry.lazy_names(__name__, _resolve_any)
