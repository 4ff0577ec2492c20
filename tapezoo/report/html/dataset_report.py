"""report.json of a data set, checked before a page is made of it: somebody may have edited it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from tapezoo.errors import TapezooError
from tapezoo.recordings.dataset import REPORT

NUMBER, TEXT = "a number", "text"
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
        fault = _fault(report, SHAPE, "") or _fault_of_figures(report, figures)
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


def _fault(value: Any, shape: Any, place: str) -> str | None:
    """What is wrong at a place; None: nothing."""
    where = f"in {place!r}" if place else "at its top"
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return f"{_shown(value)} {where}, which is no object"
        for key, inner in shape.items():
            if key not in value:
                return f"no {key!r} {where}"
            if (fault := _fault(value[key], inner, f"{place}.{key}".removeprefix("."))) is not None:
                return fault
        return None
    if isinstance(shape, list):
        if not isinstance(value, list):
            return f"{_shown(value)} {where}, which is no list"
        faults = (_fault(one, shape[0], f"{place}[{number}]") for number, one in enumerate(value))
        return next((fault for fault in faults if fault is not None), None)
    fits = isinstance(value, str) if shape == TEXT else _is_number(value)
    return None if fits else f"{_shown(value)} {where}, which is not {shape}"


def _fault_of_figures(report: dict[str, Any], figures: list[str]) -> str | None:
    """Of what may be missing, and of numbers by names that are not known beforehand."""
    if report["sample_rate_hz"] < 1:
        return f"{report['sample_rate_hz']!r} in 'sample_rate_hz', which is no rate"
    for number, pair in enumerate(report["pairs"]):
        for name, value in pair["controls"].items():
            if not _is_number(value):
                return f"{_shown(value)} in 'pairs[{number}].controls.{name}', which is not {NUMBER}"
        for index, files in enumerate(pair["files"]):
            if not isinstance(files.get("delay"), str | None):
                return (
                    f"{_shown(files['delay'])} in 'pairs[{number}].files[{index}].delay', which is not {TEXT}"
                )
        for index, channel in enumerate(pair["channels"]):
            for key in figures:
                if channel.get(key) is not None and not _is_number(channel[key]):
                    where = f"'pairs[{number}].channels[{index}].{key}'"
                    return f"{_shown(channel[key])} in {where}, which is not {NUMBER}"
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    return repr(value)[:60]
