"""Files by which the folders of trainings and measurements are known; no torch, so that a wrong path costs nothing."""

from __future__ import annotations

from pathlib import Path

from tapezoo.errors import TapezooError

BEST, LAST = "best.ckpt", "last.ckpt"
CONFIG = "config.yaml"  # the recipe with every default filled in
MEASUREMENT = "measure.json"
SOUND_SUFFIXES = (
    ".wav", ".wave", ".flac", ".aif", ".aiff", ".rf64", ".w64", ".mp3", ".ogg", ".opus", ".m4a", ".caf", ".au",
)  # fmt: skip


class CheckpointError(TapezooError):
    """The file is not a tapezoo checkpoint, or does not fit the requested use."""


def best_checkpoint(path: Path) -> Path:
    """The best checkpoint in a run folder; the path of a file is returned as given."""
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


def is_sound(path: Path) -> bool:
    """Whether the name is that of a sound file, which no model has; the file need not be there."""
    return path.suffix.lower() in SOUND_SUFFIXES and not path.is_dir()
