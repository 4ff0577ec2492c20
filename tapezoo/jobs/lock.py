"""One user at a time of one folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tapezoo.jobs.errors import JobError


@contextmanager
def lock_folder(out: Path, verb: str) -> Iterator[int]:
    """Keeps other comparisons, or other trainings of a grid, out of the folder `out`, which exists.

    Args:
        out: The folder.
        verb: Who asks, such as compare.

    Yields:
        The file descriptor that does. Whoever inherits it keeps them out too: a training whose parent was killed goes
        on, and a second one beside it would write the same files.

    Raises:
        JobError: Another one, or a training it left behind, is at work there.
    """
    descriptor = os.open(out, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise JobError(
                str(out),
                found=f"another `tapezoo {verb}` running there, or a training left behind by one",
                expected="a folder that no other command uses",
                fix="Wait until it has ended, stop it, or choose another --out.",
            ) from error
        yield descriptor
    finally:
        os.close(descriptor)
