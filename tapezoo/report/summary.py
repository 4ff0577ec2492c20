"""The results of a training as a file beside its pictures: the report page is made from it, without the trainer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tapezoo.errors import TapezooError
from tapezoo.report.shapes import TEXT, fault_of, is_number, shown
from tapezoo.staging import replaced_file

SUMMARY = "summary.json"
SHAPE = {"title": TEXT, "architecture": TEXT, "recordings": TEXT, "ended": TEXT, "figures": {}}


@dataclass(frozen=True)
class Summary:
    """A training in words and figures.

    Args:
        title: Of the run.
        architecture: Name of the model's class.
        recordings: What it was trained on.
        ended: Why it ended, and after how much.
        figures: By split: error energy over target energy, and the same of the best linear filter. None: not known.
        steadiness: The verdict on it; "": it was not checked.
        advice: What holds the model back.
        command: With which it was trained.
        warnings: What the checks of the recordings warned of.
    """

    title: str
    architecture: str
    recordings: str
    ended: str
    figures: Mapping[str, tuple[float | None, float | None]]
    steadiness: str = ""
    advice: list[str] = field(default_factory=list)
    command: str = ""
    warnings: list[str] = field(default_factory=list)


def write_summary(summary: Summary, folder: Path) -> Path:
    """Writes it into the folder of a report.

    Raises:
        UnwritableOutputError: The file cannot be written, or the disk is full.
    """
    path = folder / SUMMARY
    with replaced_file(path) as part:
        part.write_text(json.dumps(asdict(summary), indent=2) + "\n", encoding="utf-8")
    return path


def _fault_of_rest(content: dict[str, Any]) -> str | None:
    """Of what older versions do not have, and of figures, which need not be known."""
    for name in ("steadiness", "command"):
        if not isinstance(content.get(name, ""), str):
            return f"{shown(content[name])} in {name!r}, which is not {TEXT}"
    for name in ("advice", "warnings"):
        if (fault := fault_of(content.get(name, []), [TEXT], name)) is not None:
            return fault
    for split, pair in content["figures"].items():
        if (
            not isinstance(pair, list)
            or len(pair) != 2
            or not all(one is None or is_number(one) for one in pair)
        ):
            return f"{shown(pair)} in 'figures.{split}', which is no pair of numbers"
    return None


def read_summary(folder: Path) -> Summary:
    """Reads it.

    Raises:
        TapezooError: There is none, or it is no summary.
    """
    path = folder / SUMMARY
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if (fault := fault_of(content, SHAPE) or _fault_of_rest(content)) is not None:
            raise ValueError(fault)
        figures = {name: (pair[0], pair[1]) for name, pair in content.pop("figures").items()}
        return Summary(figures=figures, **content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise TapezooError(
            str(path),
            found=f"no summary of a training ({type(error).__name__}: {error})",
            expected="what `tapezoo fit` writes when a training has ended",
            fix="Name the folder of a run that has ended, such as runs/LSTM-...",
        ) from error
