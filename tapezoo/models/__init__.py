"""Every registered architecture by name, whoever ships it: `tapezoo.models.LSTM`, or a plugin's.

`class_path: tapezoo.models.NAME` in a recipe and `from tapezoo.models import NAME` both ask the registry.
"""

from __future__ import annotations

from tapezoo import registry
from tapezoo.training.effect import EffectModel


def resolve(name: str) -> type[EffectModel]:
    """The class registered as `name`. Raises RegistrationError like `tapezoo.registry.resolve`."""
    return registry.resolve("models", name, EffectModel)


__getattr__ = registry.lazy_names(__name__, resolve)
