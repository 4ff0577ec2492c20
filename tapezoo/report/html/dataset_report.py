"""report.json of a data set, checked before a page is made of it: somebody may have edited it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from tapezoo.errors import TapezooError
from tapezoo.recordings.dataset import REPORT
from tapezoo.report.shapes import NUMBER, TEXT, fault_of, is_number, shown

REMARKS = [{"effect": TEXT, "text": TEXT}]
SHAPE: dict[str, Any] = {  # what the page shows of it; a list holds any number of what it names
    "verdict": TEXT,
    "because": [TEXT],
    "remarks": REMARKS,
    "sample_rate_hz": NUMBER,
    "pairs": [
        {
            "name": TEXT,
            "verdict": TEXT,
            "controls": {},
            "length_s": NUMBER,
            "files": [{"dry": TEXT, "wet": TEXT}],
            "remarks": REMARKS,
            "channels": [{}],
        }
    ],
}


def read_report(folder: Path, figures: list[str]) -> dict[str, Any]:
    """What `tapezoo prepare --out FOLDER` left there.

    Args:
        folder: Of the data set.
        figures: Names of the figures of channels that are shown.

    Raises:
        TapezooError: It is missing, or a field has no value that can be shown; the message has its name.
    """
    try:
        report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
        fault = fault_of(report, SHAPE) or _fault_of_figures(report, figures)
    except (OSError, ValueError, RecursionError):
        fault = "no report that can be read"
    if fault is not None:
        raise TapezooError(
            str(folder / REPORT),
            found=fault,
            expected="what `tapezoo prepare --out` writes",
            fix="Undo the change, or prepare the recordings again.",
        )
    return cast(dict[str, Any], report)


def _fault_of_figures(report: dict[str, Any], figures: list[str]) -> str | None:
    """Of what may be missing, and of numbers by names that are not known beforehand."""
    if report["sample_rate_hz"] < 1:
        return f"{report['sample_rate_hz']!r} in 'sample_rate_hz', which is no rate"
    for number, pair in enumerate(report["pairs"]):
        for name, value in pair["controls"].items():
            if not is_number(value):
                return f"{shown(value)} in 'pairs[{number}].controls.{name}', which is not {NUMBER}"
        for index, files in enumerate(pair["files"]):
            if not isinstance(files.get("delay"), str | None):
                return (
                    f"{shown(files['delay'])} in 'pairs[{number}].files[{index}].delay', which is not {TEXT}"
                )
        for index, channel in enumerate(pair["channels"]):
            for key in figures:
                if channel.get(key) is not None and not is_number(channel[key]):
                    where = f"'pairs[{number}].channels[{index}].{key}'"
                    return f"{shown(channel[key])} in {where}, which is not {NUMBER}"
    return None
