"""Verifying a bundle with the runtimes that need no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tapezoo.bundle import OpenTarget, Report, verify_bundle
from tapezoo.runtime.onnx_step import ONNX_ONLY


def verify(
    bundle: Path | str, openers: Mapping[str, OpenTarget] = ONNX_ONLY, seal_sha256: str | None = None
) -> Report:
    """Checks every hash of a bundle and replays its ONNX target; see `tapezoo.bundle.verify_bundle`.

    Args:
        bundle: The bundle's folder.
        openers: By target name; `tapezoo.export.openers()` has one for every target, and needs torch.
        seal_sha256: The registered hash of SHA256SUMS, where there is one.

    Raises:
        BundleError: The first fault found, with the file at fault.
    """
    return verify_bundle(Path(bundle), openers, seal_sha256)
