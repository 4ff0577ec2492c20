"""What verifying found as plain data, for another process; read there as if from a stranger."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tapezoo.bundle import BundleError, CaseResult, Report, TargetReport, manifest_of
from tapezoo.bundle.documents import fields_of, items, matching, number
from tapezoo.bundle.grid.tensors import NoSafetensorsError
from tapezoo.bundle.manifest import CASE_LIMIT
from tapezoo.errors import TapezooError

LINE = r"(?s).{0,100000}"
TARGET = ("target", "file", "results", "max_esr")
CASE = ("case", "max_abs_error", "tolerance", "error_energy", "energy")
FAULT = ("kind", "subject", "file", "found", "expected", "fix")


def report(found: Report) -> dict[str, Any]:
    """A report as JSON values."""
    return {
        "manifest": json.loads(found.manifest.to_json()),
        "seal_sha256": found.seal_sha256,
        "targets": [asdict(target) for target in found.targets],
        "grid": None if found.grid is None else asdict(found.grid),
    }


def report_of(root: Path, value: Any) -> Report:
    """The report that `report` wrote.

    Raises:
        ValueError, MalformedFileError: It is none.
    """
    fields = fields_of(value, ("manifest", "seal_sha256", "targets", "grid"))
    return Report(
        manifest_of(root, fields["manifest"]),
        matching(LINE, fields["seal_sha256"]),
        items(fields["targets"], _target),
        None if fields["grid"] is None else _target(fields["grid"]),
    )


def fault(error: TapezooError) -> dict[str, str]:
    """A fault as JSON values."""
    return {
        "kind": type(error).__name__,
        "subject": error.subject,
        "file": error.file if isinstance(error, BundleError) else "",
        "found": error.found,
        "expected": error.expected,
        "fix": error.fix,
    }


def fault_of(root: Path, value: Any) -> TapezooError:
    """The fault that `fault` wrote, about a file of `root`.

    Raises:
        ValueError: It is none.
    """
    fields = {name: matching(LINE, text) for name, text in fields_of(value, FAULT).items()}
    said = {name: fields[name] for name in ("found", "expected", "fix")}
    for kind in BundleError.__subclasses__():
        if kind.__name__ == fields["kind"]:
            return kind(root, fields["file"], **said)
    if fields["kind"] == NoSafetensorsError.__name__:
        return NoSafetensorsError(fields["subject"], **said)
    return TapezooError(fields["subject"], **said)


def _target(value: Any) -> TargetReport:
    fields = fields_of(value, TARGET)
    return TargetReport(
        matching(LINE, fields["target"]),
        matching(LINE, fields["file"]),
        items(fields["results"], _case, most=CASE_LIMIT),
        None if fields["max_esr"] is None else number(fields["max_esr"]),
    )


def _case(value: Any) -> CaseResult:
    fields = fields_of(value, CASE)
    name, *figures = (fields[part] for part in CASE)
    return CaseResult(matching(LINE, name), *(number(figure) for figure in figures))
