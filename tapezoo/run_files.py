"""What a training leaves in the folder of its run, by name; without torch, so that a wrong path is said at once."""

from __future__ import annotations

from pathlib import Path

from tapezoo.errors import TapezooError

BEST, LAST = "best.ckpt", "last.ckpt"
CONFIG = "config.yaml"  # the recipe, every default filled in


class CheckpointError(TapezooError):
    """The file is no tapezoo checkpoint, or does not fit what it is asked for."""


def best_checkpoint(path: Path) -> Path:
    """The best checkpoint of a run's folder; a file is taken as it is."""
    return path / BEST if path.is_dir() else path


def check_present(path: Path) -> None:
    """Raises CheckpointError if no file is there."""
    if not path.is_file():
        raise CheckpointError(
            str(path),
            found="no such file",
            expected="a checkpoint such as best.ckpt in the folder of a run",
            fix="Pass the path of another checkpoint.",
        )
