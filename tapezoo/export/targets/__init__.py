"""The makers of targets by name; `tapezoo.bundle.targets` has the table."""

from __future__ import annotations

from collections.abc import Sequence
from pkgutil import resolve_name

from tapezoo.bundle import OpenTarget
from tapezoo.bundle.targets import TARGETS, check_names
from tapezoo.export.targets.target import Target
from tapezoo.net import Net


def openers() -> dict[str, OpenTarget]:
    """How to open every target, for `tapezoo.runtime.verify`; but those that compile and run code from the bundle."""
    return {spec.name: spec.open for spec in TARGETS.values() if not spec.compiles}


def load_target(name: str) -> Target:
    """The target called so.

    Raises:
        TargetNameError: With the nearest name and all of them.
    """
    return load_targets([name])[0]


def load_targets(names: Sequence[str]) -> tuple[Target, ...]:
    """The targets called so, in this order, each once.

    Raises:
        TargetNameError: With the nearest name and all of them; so for a name that is left out.
    """
    check_names(names)
    return tuple(resolve_name(TARGETS[name].maker)() for name in dict.fromkeys(names))


DEFAULT_TARGETS: tuple[Target, ...] = load_targets(["onnx", "torchscript"])


def default_targets(net: Net) -> tuple[Target, ...]:
    """`DEFAULT_TARGETS`, and the kernel for a net that has one: in small blocks it plays several times as fast."""
    kernel = load_target("kernel")
    fits = not kernel.spec.missing_modules and kernel.refusal(net) is None
    return (*DEFAULT_TARGETS, kernel) if fits else DEFAULT_TARGETS
