"""The result of verifying as JSON values for another process, which reads them as untrusted input."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tapezoo.bundle import BundleError, CaseResult, TargetResult, Verification, manifest_of
from tapezoo.bundle.documents import fields_of, items, matching, number
from tapezoo.bundle.errors import NotInstalledError
from tapezoo.bundle.limits import CASE_LIMIT
from tapezoo.errors import TapezooError

LINE = r"(?s).{0,100000}"
TARGET = ("target", "file", "results", "max_esr")
CASE = ("case", "max_abs_error", "tolerance", "error_energy", "energy")
FAULT = ("kind", "subject", "file", "found", "expected", "fix")


def verification_to_json(found: Verification) -> dict[str, Any]:
    """A verification as JSON values."""
    return {
        "manifest": json.loads(found.manifest.to_json()),
        "seal_sha256": found.seal_sha256,
        "targets": [asdict(target) for target in found.targets],
        "grid": None if found.grid is None else asdict(found.grid),
    }


def verification_from_json(root: Path, value: Any) -> Verification:
    """The verification that `verification_to_json` wrote.

    Raises:
        ValueError, BundleError: It is none.
    """
    fields = fields_of(value, ("manifest", "seal_sha256", "targets", "grid"))
    return Verification(
        manifest_of(root, fields["manifest"]),
        matching(LINE, fields["seal_sha256"]),
        items(fields["targets"], _target),
        None if fields["grid"] is None else _target(fields["grid"]),
    )


def error_to_json(error: TapezooError) -> dict[str, str]:
    """An error as JSON values."""
    return {
        "kind": type(error).__name__,
        "subject": error.subject,
        "file": error.file if isinstance(error, BundleError) else "",
        "found": error.found,
        "expected": error.expected,
        "fix": error.fix,
    }


def error_from_json(root: Path, value: Any) -> TapezooError:
    """The error that `error_to_json` wrote, about a file of `root`.

    Raises:
        ValueError: It is none.
    """
    fields = {name: matching(LINE, text) for name, text in fields_of(value, FAULT).items()}
    said = {name: fields[name] for name in ("found", "expected", "fix")}
    if fields["kind"] == BundleError.__name__:
        return BundleError(root, fields["file"], **said)
    if fields["kind"] == NotInstalledError.__name__:
        return NotInstalledError(fields["subject"], **said)
    return TapezooError(fields["subject"], **said)


def _target(value: Any) -> TargetResult:
    fields = fields_of(value, TARGET)
    return TargetResult(
        matching(LINE, fields["target"]),
        matching(LINE, fields["file"]),
        items(fields["results"], _case, most=CASE_LIMIT),
        None if fields["max_esr"] is None else number(fields["max_esr"]),
    )


def _case(value: Any) -> CaseResult:
    fields = fields_of(value, CASE)
    name, *figures = (fields[part] for part in CASE)
    return CaseResult(matching(LINE, name), *(number(figure) for figure in figures))
