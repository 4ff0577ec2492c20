"""Verifying a bundle with the runtimes that need no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tapezoo.bundle import OpenTarget, Step, Verification, verify_bundle
from tapezoo.runtime.apart import Apart, verify_apart
from tapezoo.runtime.engines import missing_modules
from tapezoo.runtime.grid.graph import GridGraph
from tapezoo.runtime.onnx_step import ONNX_ONLY

Openers = Mapping[str, OpenTarget] | Apart


def installed_openers() -> Mapping[str, OpenTarget]:
    """How to open every target whose runtime is installed and needs no torch."""
    return ONNX_ONLY if missing_modules("kernel") else {**ONNX_ONLY, "kernel": _open_kernel}


def verify(
    bundle: Path | str, openers: Openers | None = None, seal_sha256: str | None = None
) -> Verification:
    """Checks every hash of a bundle and replays its targets; see `tapezoo.bundle.verify_bundle`.

    Args:
        bundle: The bundle's folder.
        openers: By target name; None: `installed_openers()`. `tapezoo.export.openers()` has one for every target,
            and needs torch. For bundles from strangers `Apart()`, as `tapezoo verify`, `pull` and `push` do: then all
            of it happens in another process, whose memory and time are bounded.
        seal_sha256: The registered hash of SHA256SUMS, where there is one.

    Raises:
        BundleError: The first fault found, with the file at fault; an `ExhaustingBundleError` only with `Apart()`.
    """
    if isinstance(openers, Apart):
        return verify_apart(Path(bundle), openers.openers, seal_sha256)
    openers = installed_openers() if openers is None else openers
    return verify_bundle(Path(bundle), openers, seal_sha256, open_grid=GridGraph)


def _open_kernel(path: Path, state_names: Sequence[str]) -> Step:
    from tapezoo.runtime.kernels.step import open_kernel  # numba takes a second to import

    return open_kernel(path, state_names)
