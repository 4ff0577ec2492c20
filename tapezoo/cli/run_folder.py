"""Where a run goes, and whether it may go there."""

from __future__ import annotations

import os
from datetime import datetime
from itertools import count
from pathlib import Path

from tapezoo import checkpoint
from tapezoo.errors import OutputExistsError, UnwritableOutputError


def run_dir_of(given: str | None, checkpoint_path: str | None, architecture: str) -> Path:
    """The folder given, that of the checkpoint that is resumed, or a new one named after the time."""
    if given is not None:
        return Path(given)
    if checkpoint_path is not None:
        return Path(checkpoint_path).parent  # a resumed run goes on where it was
    named = Path("runs") / f"{architecture}-{datetime.now():%Y%m%d-%H%M%S}"
    free = (named.with_name(f"{named.name}-{number}") for number in count(2))
    return named if not named.exists() else next(path for path in free if not path.exists())


def belongs_to(run_dir: Path, checkpoint_path: str | None) -> bool:
    """Whether the checkpoint lies in `run_dir`: a resumed run goes on in its own folder."""
    return checkpoint_path is not None and Path(checkpoint_path).resolve().parent == run_dir.resolve()


def check_run_dir(run_dir: Path, may_replace: bool) -> None:
    """Raises OutputExistsError or UnwritableOutputError before any work is done."""
    if run_dir.exists() and not run_dir.is_dir():
        raise UnwritableOutputError(run_dir, "it is a file")
    if not may_replace and any((run_dir / name).exists() for name in (checkpoint.BEST, checkpoint.LAST)):
        raise OutputExistsError(run_dir)
    place = run_dir.absolute()
    above = next(folder for folder in (place, *place.parents) if folder.exists())
    if not (above.is_dir() and os.access(above, os.W_OK)):
        raise UnwritableOutputError(run_dir, f"{above} is no folder that can be written")
