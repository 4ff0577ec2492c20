"""Where a run goes, whether it may go there, and that no other run goes there meanwhile."""

from __future__ import annotations

import fcntl
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import count
from pathlib import Path

from tapezoo import checkpoint
from tapezoo.cli.errors import RunFolderError
from tapezoo.errors import OutputExistsError, UnwritableOutputError
from tapezoo.staging import remove_parts

LOCK = ".running"


def run_dir_of(given: str | None, checkpoint_path: str | None, architecture: str) -> Path:
    """The folder given, that of the checkpoint, or a new one named after the time."""
    if given is not None:
        return Path(given)
    if checkpoint_path is not None:
        return Path(checkpoint_path).parent  # a resumed run goes on where it was
    return Path("runs") / f"{architecture}-{datetime.now():%Y%m%d-%H%M%S}"


def belongs_to(run_dir: Path, checkpoint_path: str | None) -> bool:
    """Whether the checkpoint lies in `run_dir`: a resumed run goes on in its own folder."""
    return checkpoint_path is not None and Path(checkpoint_path).resolve().parent == run_dir.resolve()


@contextmanager
def claim_folder(
    run_dir: Path, is_named: bool, checkpoint_path: str | None, overwrite: bool
) -> Iterator[Path]:
    """Keeps other trainings out of the folder of a run, which is made; at the end an empty one is removed again.

    A lock that the kernel gives back however this process ends, kill -9 included, keeps them out; file systems
    without locks only have the check for checkpoints.

    Args:
        run_dir: The folder.
        is_named: The user named it. Else one that is there is somebody else's, and the next free name is taken.
        checkpoint_path: What is resumed; in its own folder a run goes on.
        overwrite: Whether a finished run there may be replaced.

    Yields:
        The folder.

    Raises:
        RunFolderError: Another training is at work there, or it holds the checkpoints of another run.
        OutputExistsError: It holds checkpoints.
        UnwritableOutputError: It cannot be made or written.
    """
    if run_dir.exists() and not run_dir.is_dir():
        raise UnwritableOutputError(run_dir, "it is a file")
    made: list[Path] = []
    try:
        try:
            run_dir = _make(run_dir, made) if is_named else _make_new(run_dir, made)
            lock = _lock(run_dir)
        except OSError as error:
            raise UnwritableOutputError(run_dir, error) from error
        try:
            if not overwrite and not belongs_to(run_dir, checkpoint_path):
                _check_free(run_dir, checkpoint_path)
            remove_parts(run_dir)
            yield run_dir
        finally:
            with suppress(OSError):
                (run_dir / LOCK).unlink()  # while it is held: who opened it meanwhile sees that it is gone
            os.close(lock)
    finally:
        with suppress(OSError):  # a run has begun
            for folder in reversed(made):
                folder.rmdir()


def clear(run_dir: Path, names: tuple[str, ...]) -> None:
    """Removes what a run that is replaced left under `names`: it is never taken for the new one's."""
    for name in names:
        (run_dir / name).unlink(missing_ok=True)


def _make_new(named: Path, made: list[Path]) -> Path:
    for number in count(1):
        run_dir = named if number == 1 else named.with_name(f"{named.name}-{number}")
        before = len(made)
        if _make(run_dir, made) in made[before:]:
            return run_dir
    raise AssertionError  # count() does not end


def _make(run_dir: Path, made: list[Path]) -> Path:
    """Makes the folder and those above it; `made` learns which were not there."""
    missing = [folder for folder in (run_dir, *run_dir.parents) if not folder.is_dir()]
    for folder in reversed(missing):
        try:
            folder.mkdir()
        except FileExistsError:  # another process was faster
            if not folder.is_dir():
                raise
        else:
            made.append(folder)
    return run_dir


def _lock(run_dir: Path) -> int:
    """A descriptor that holds the folder."""
    path = run_dir / LOCK
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = "".join(filter(str.isprintable, os.read(lock, 100).decode(errors="replace")))
            os.close(lock)
            raise RunFolderError(
                str(run_dir),
                found=f"a training that is still running there ({holder})",
                expected="a folder that no other training uses",
                fix="Wait until it has ended, stop it, or choose another --run_dir.",
            ) from error
        except OSError:  # a file system without locks
            return lock
        if path.exists() and os.path.samestat(os.fstat(lock), path.stat()):
            os.truncate(lock, 0)
            os.write(lock, f"process {os.getpid()} on {platform.node()}".encode())
            return lock
        os.close(lock)  # of a training that ended just now


def _check_free(run_dir: Path, checkpoint_path: str | None) -> None:
    if not any((run_dir / name).exists() for name in (checkpoint.BEST, checkpoint.LAST)):
        return
    if checkpoint_path is None:
        raise OutputExistsError(run_dir)
    raise RunFolderError(  # not --overwrite: it would delete checkpoints that are worth more than this message
        str(run_dir),
        found=f"the checkpoints of another run than that of {checkpoint_path}",
        expected="a free name, or the folder of the checkpoint",
        fix="Leave --run_dir out to continue in the folder of the checkpoint, or choose another name.",
    )
