"""Losses by name, tapezoo's own (`tapezoo.losses.ESR`) or a plugin's.

Every loss is called as `loss(output, target)` on (batch, 1, samples).
"""

from __future__ import annotations

from tapezoo import registry
from tapezoo.losses.base import Loss

__all__ = ["Loss", "resolve"]


def resolve(name: str) -> type[Loss]:
    """The class registered as `name`. Raises RegistrationError like `tapezoo.registry.resolve`."""
    return registry.resolve("losses", name, Loss)  # type: ignore[type-abstract]


__getattr__ = registry.lazy_names(__name__, resolve)
