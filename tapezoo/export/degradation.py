"""The gate of lossy targets: how far the sound of each is from the net's, and whether that is little enough."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tapezoo.bundle import BundleError, CaseResult, Manifest, open_target, overall_esr, replay
from tapezoo.export.errors import ExportError
from tapezoo.export.targets.target import Target

# -30 dB: below the error of most trained nets against their device (val_esr 0.0001 to 0.03 here, half of them above
# 0.006), so that the file format is not audible
MAX_DEGRADATION_ESR = 1e-3


def measure_degradation(
    root: Path, manifest: Manifest, targets: Sequence[Target], max_esr: float
) -> tuple[tuple[dict[str, Any], ...], dict[str, tuple[CaseResult, ...]]]:
    """Plays all golden cases through every lossy target, as read back from its file.

    Args:
        root: The bundle's folder, not yet sealed.
        manifest: Of it.
        targets: Those that are not lossy are passed over.
        max_esr: What the ESR may be at most.

    Returns:
        Rows with target, esr (error energy of all cases together over their energy), max_abs_error (sample
        value), max_esr, size_bytes; and what each target played.

    Raises:
        ExportError: The first target over `max_esr`, or one that does not play.
    """
    rows, played = [], {}
    for target in targets:
        if not target.lossy:
            continue
        try:
            step = open_target(target.open, root, manifest, target.name)
            played[target.name] = results = replay(step, root, manifest, target.file)
        except BundleError as error:
            raise _error(target, error.found, "a target that plays") from error
        esr = overall_esr(results)
        max_abs_error = float(np.max([result.max_abs_error for result in results]))  # NaN stays
        if not (esr <= max_esr and np.isfinite(max_abs_error)):
            found = f"an ESR of {esr:.2g} and an error of up to {max_abs_error:.2g} against the net"
            raise _error(target, found, f"an ESR of at most {max_esr:.2g}")
        row = {"target": target.name, "esr": esr, "max_abs_error": max_abs_error, "max_esr": max_esr}
        rows.append({**row, "size_bytes": (root / target.file).stat().st_size})
    return tuple(rows), played


def _error(target: Target, found: str, expected: str) -> ExportError:
    return ExportError(
        f"export target {target.name!r}",
        found=found,
        expected=expected,
        fix="No bundle was written. Export without it, or with onnx_fp16 instead of onnx_int8; or raise the limit "
        "with --max-loss.",
    )
