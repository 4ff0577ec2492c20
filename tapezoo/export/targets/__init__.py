"""The makers of targets by name; `tapezoo.bundle.targets` has the table."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pkgutil import resolve_name

from tapezoo.bundle import OpenTarget
from tapezoo.bundle.targets import TARGETS
from tapezoo.export.errors import ExportError
from tapezoo.export.targets.target import Target
from tapezoo.net import Net


def openers() -> dict[str, OpenTarget]:
    """How to open every target, for `tapezoo.runtime.verify`; but those that compile and run code from the bundle."""
    return {spec.name: spec.open for spec in TARGETS.values() if not spec.compiles}


def load_target(name: str) -> Target:
    """The target called so.

    Raises:
        ExportError: With the nearest name and all of them.
    """
    return load_targets([name])[0]


def load_targets(names: Sequence[str]) -> tuple[Target, ...]:
    """The targets called so, in this order, each once.

    Raises:
        ExportError: With the nearest name and all of them; so for a name that is left out.
    """
    for name in names:
        if not name:
            raise ExportError(
                f"the export targets {','.join(names)!r}",
                found="a comma without a name before or after it",
                expected=f"some of {', '.join(TARGETS)}",
                fix="Remove the comma, or add the missing name.",
            )
        if name not in TARGETS:
            nearest = difflib.get_close_matches(name.lower(), TARGETS, n=1, cutoff=0.4)
            hint = f"Did you mean {nearest[0]}? " if nearest else ""
            raise ExportError(
                f"export target {name!r}",
                found="no target with this name",
                expected=f"some of {', '.join(TARGETS)}",
                fix=f"{hint}Separate them by commas.",
            )
    return tuple(resolve_name(TARGETS[name].maker)() for name in dict.fromkeys(names))


def check_playable(targets: Sequence[Target]) -> None:
    """A bundle without a grid needs the ONNX target: `tapezoo.runtime` plays it, and every reader verifies it.

    Raises:
        ExportError: It is not among them.
    """
    names = [target.name for target in targets]
    if "onnx" not in names:
        raise ExportError(
            "the export targets",
            found=f"{', '.join(names) or 'none'}, without onnx",
            expected="onnx among them: it is what plays a bundle without a grid",
            fix=f"Pass --targets {','.join(['onnx', *names])}.",
        )


DEFAULT_TARGETS: tuple[Target, ...] = load_targets(["onnx", "torchscript"])


def default_targets(net: Net) -> tuple[Target, ...]:
    """`DEFAULT_TARGETS`, and the kernel for a net that has one: in small blocks it plays several times as fast."""
    kernel = load_target("kernel")
    fits = not kernel.spec.missing_modules and kernel.refusal(net) is None
    return (*DEFAULT_TARGETS, kernel) if fits else DEFAULT_TARGETS
