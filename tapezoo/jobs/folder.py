"""The folder of several trainings, and the folder of each: what is done already, and whether it may go on."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from tapezoo.checkpoint import LAST
from tapezoo.errors import UnwritableOutputError
from tapezoo.jobs.errors import JobError
from tapezoo.jobs.settings import Config, differences
from tapezoo.measure.comparison import Figures, Outcome
from tapezoo.staging import replaced_file
from tapezoo.terminal import shown
from tapezoo.yamltext import YamlError, read_yaml

ROW, SETTINGS, LOG = "row.json", "row.yaml", "train.log"
START = "start.ckpt"  # while a training starts from it
SHOWN_DIFFERENCES = 5


def open_folder(out: Path, note: str, key: str, overwrite: bool) -> dict[str, Any]:
    """What the note says of the trainings that lie in `out`; {} where there are none.

    Args:
        out: The folder.
        note: Name of the file that says what the folder is for.
        key: What stands in every such file.
        overwrite: Whether they are to be removed.

    Raises:
        JobError: The folder holds something else, which not even `overwrite` removes.
        UnwritableOutputError: It is a file, or cannot be written.
    """
    if out.exists() and not out.is_dir():
        raise UnwritableOutputError(out, "it is a file")
    above = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    if not (above.is_dir() and os.access(above, os.W_OK)):
        raise UnwritableOutputError(out, f"{above} is no folder that can be written")
    if not out.exists() or not any(out.iterdir()):
        return {}
    try:
        content: dict[str, Any] = json.loads((out / note).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _other_content(out) from error
    if not isinstance(content, dict) or key not in content:  # somebody else's file of that name
        raise _other_content(out)
    return {} if overwrite else content


def empty_folder(out: Path) -> None:
    """Removes all that is in it; the folder itself stays: the lock is on it."""
    for path in out.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def changed_settings(out: Path, rows: Mapping[str, Config]) -> list[str]:
    """What is not as it was in the settings of those rows in `out` that are finished, or may go on.

    Failed rows, and rows that left no checkpoint, start again whatever they were.

    Raises:
        JobError: See `read_outcome`.
    """
    changed = []
    for name in begun_rows(out, rows):
        old = _read_settings(out / name / SETTINGS)
        changed += [f"{name}: {difference}" for difference in differences(old, rows[name])]
    return changed


def begun_rows(out: Path, rows: Mapping[str, Config]) -> list[str]:
    """Those of the rows that are finished, or may go on. Raises JobError: see `read_outcome`."""
    return [name for name in rows if is_finished(out / name) or may_resume(out / name)]


def refuse_changes(out: Path, changed: list[str]) -> None:
    """Raises JobError that names what changed, if anything did."""
    if changed:
        more = len(changed) - SHOWN_DIFFERENCES
        found = "; ".join(changed[:SHOWN_DIFFERENCES]) + (f"; {more} more" if more > 0 else "")
        raise JobError(
            str(out),
            found=f"rows trained with other settings ({found})",
            expected="the settings it was started with",
            fix="Choose another --out, or pass --overwrite to start again.",
        )


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        content = read_yaml(path)
    except (OSError, YamlError) as error:
        raise _unreadable(path, error) from error
    return content if isinstance(content, dict) else {}


def read_outcome(folder: Path) -> Outcome | None:
    """How the row in `folder` ended, or that it is under way; None: nothing is there.

    Raises:
        JobError: Something is there, and taking it for nothing would train over it.
    """
    path = folder / ROW
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        figures = Figures(**content["figures"]) if content["figures"] else None
        return Outcome(content["status"], content["reason"], figures, content["log"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(path, error) from error


def is_finished(folder: Path) -> bool:
    """Nothing is left to do for this row."""
    outcome = read_outcome(folder)
    return outcome is not None and outcome.status == "finished"


def may_resume(folder: Path) -> bool:
    """The row was stopped, and left a checkpoint to go on from."""
    outcome = read_outcome(folder)
    stopped = outcome is not None and outcome.status in ("running", "interrupted")
    return stopped and (folder / LAST).is_file()


def begin_row(folder: Path, config: Config) -> None:
    """Makes the row's folder; empties it unless the row goes on."""
    if not may_resume(folder):
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    with replaced_file(folder / SETTINGS) as part:
        part.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    write_outcome(folder, Outcome("running"))


def write_outcome(folder: Path, outcome: Outcome) -> None:
    """Stores how the row ended."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / ROW, asdict(outcome))


def write_json(path: Path, content: Any) -> None:
    """Writes the file as a whole or not at all."""
    with replaced_file(path) as part:
        part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _other_content(out: Path) -> JobError:
    return JobError(
        str(out),
        found="a folder with other content",
        expected="a free name, or the folder of earlier trainings of this kind to continue",
        fix="Choose another --out.",
    )


def _unreadable(path: Path, error: Exception) -> JobError:
    return JobError(
        str(path),
        found=f"what this version of tapezoo does not write ({type(error).__name__}: {shown(str(error))})",
        expected="the settings and figures of a row",
        fix="Choose another --out, continue with the version that wrote it, or pass --overwrite.",
    )
