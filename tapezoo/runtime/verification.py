"""Verifying a bundle with the runtimes that need no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tapezoo.bundle import OpenTarget, Verification, find_bundle, verify_bundle
from tapezoo.bundle.targets import TARGETS
from tapezoo.runtime.apart import Apart, verify_apart
from tapezoo.runtime.grid.graph import GridGraph

Openers = Mapping[str, OpenTarget] | Apart


def installed_openers() -> Mapping[str, OpenTarget]:
    """How to open every target whose runtime is installed and needs no torch, without compiling a bundle's code."""
    return {
        spec.name: spec.open
        for spec in TARGETS.values()
        if "torch" not in spec.needs and not spec.missing_modules and not spec.compiles
    }


def compiling_openers() -> Mapping[str, OpenTarget]:
    """How to open targets that are source code, which is compiled and run with your rights: trust its author."""
    return {spec.name: spec.open for spec in TARGETS.values() if spec.compiles}


def verify(
    bundle: Path | str, openers: Openers | None = None, seal_sha256: str | None = None
) -> Verification:
    """Checks every hash of a bundle and replays its targets; see `tapezoo.bundle.verify_bundle`.

    Args:
        bundle: The bundle's folder, or the name of a shipped bundle.
        openers: By target name; None: `installed_openers()`. `tapezoo.export.openers()` has one for every target,
            and needs torch. For bundles from strangers pass `Apart()`, as `tapezoo verify`, `pull` and `push` do: then
            everything runs in a separate process, whose memory and time are limited.
        seal_sha256: The registered hash of SHA256SUMS; None: not compared.

    Raises:
        BundleError: The first fault found, with the file at fault; with `Apart()` also where verifying
            takes more than its limits.
    """
    root = find_bundle(bundle)
    if isinstance(openers, Apart):
        return verify_apart(root, openers.openers, seal_sha256)
    openers = installed_openers() if openers is None else openers
    return verify_bundle(root, openers, seal_sha256, open_grid=GridGraph)
