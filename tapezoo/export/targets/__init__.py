"""The export targets by name."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from tapezoo.bundle import OpenTarget
from tapezoo.errors import TapezooError
from tapezoo.export.targets.fp16 import OnnxFp16Target
from tapezoo.export.targets.int8 import OnnxInt8Target
from tapezoo.export.targets.kernel import KernelTarget
from tapezoo.export.targets.onnx import OnnxTarget
from tapezoo.export.targets.target import Target
from tapezoo.export.targets.torchscript import TorchScriptTarget

DEFAULT_TARGETS: tuple[Target, ...] = (OnnxTarget(), TorchScriptTarget())
KNOWN_TARGETS: dict[str, Target] = {
    target.name: target for target in (*DEFAULT_TARGETS, OnnxInt8Target(), OnnxFp16Target(), KernelTarget())
}


class UnknownTargetError(TapezooError):
    """No export target has this name."""


class NoOnnxTargetError(TapezooError):
    """A bundle that no stream could play."""


def openers() -> dict[str, OpenTarget]:
    """How to open every target, for `tapezoo.runtime.verify`."""
    return {name: target.open for name, target in KNOWN_TARGETS.items()}


def targets_named(names: Sequence[str]) -> tuple[Target, ...]:
    """The targets called so, in this order, each once.

    Raises:
        UnknownTargetError: The message has the nearest name and all of them; so for a name that is left out.
    """
    for name in names:
        if not name:
            raise UnknownTargetError(
                f"the export targets {','.join(names)!r}",
                found="a comma without a name beside it",
                expected=f"some of {', '.join(KNOWN_TARGETS)}",
                fix="Remove the comma, or write the name that is missing.",
            )
        if name not in KNOWN_TARGETS:
            nearest = difflib.get_close_matches(name.lower(), KNOWN_TARGETS, n=1, cutoff=0.4)
            hint = f"Did you mean {nearest[0]}? " if nearest else ""
            raise UnknownTargetError(
                f"export target {name!r}",
                found="no target of this name",
                expected=f"some of {', '.join(KNOWN_TARGETS)}",
                fix=f"{hint}Give them with commas in between.",
            )
    return tuple(KNOWN_TARGETS[name] for name in dict.fromkeys(names))


def check_playable(targets: Sequence[Target]) -> None:
    """A bundle without a grid needs the ONNX target: `tapezoo.runtime` plays it, and every reader verifies it.

    Raises:
        NoOnnxTargetError: It is not among them.
    """
    names = [target.name for target in targets]
    if "onnx" not in names:
        raise NoOnnxTargetError(
            "the export targets",
            found=f"{', '.join(names) or 'none'}, without onnx",
            expected="onnx among them: the runtime of a bundle without a grid plays that one",
            fix=f"Pass --targets {','.join(['onnx', *names])}.",
        )
