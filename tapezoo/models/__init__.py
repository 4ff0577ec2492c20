"""Every registered architecture by name, whoever ships it: `tapezoo.models.LSTM`, or a plugin's.

`class_path: tapezoo.models.NAME` in a recipe and `from tapezoo.models import NAME` both ask the
registry, so exactly the plugin asked for is imported (PEP 562).
"""

from __future__ import annotations

import inspect

from tapezoo import registry
from tapezoo.errors import TapezooError
from tapezoo.training.effect import EffectModel


class NotAModelError(TapezooError, ImportError):
    """What a distribution registers under this name is no EffectModel, or has another name."""


def resolve(name: str) -> type[EffectModel]:
    """The class registered as `name`.

    Raises:
        UnknownModelError, AmbiguousModelError, BrokenPluginError: See `tapezoo.registry.load`.
        NotAModelError: It is no subclass of EffectModel, or its class has another name.
    """
    found = registry.load(name)
    registered = next(entry for entry in registry.registrations() if entry.name == name)
    if not (inspect.isclass(found) and issubclass(found, EffectModel)):
        raise NotAModelError(
            f"model {name!r}",
            found=f"{registered.target} of {registered.distribution} {registered.version}, which is {found!r}",
            expected="a subclass of tapezoo.training.effect.EffectModel",
            fix="Repair or uninstall that distribution.",
        )
    if found.__name__ != name:
        raise NotAModelError(
            f"model {name!r}",
            found=f"the class name {found.__name__!r} in {registered.distribution} {registered.version}",
            expected=f"the entry point's name, {name!r}",
            fix="Give the entry point in that distribution's pyproject.toml the name of its class.",
        )
    return found


def __getattr__(name: str) -> type[EffectModel]:
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = resolve(name)
    globals()[name] = found  # a parse of a recipe asks some fifty times, and each answer reads all metadata
    return found
