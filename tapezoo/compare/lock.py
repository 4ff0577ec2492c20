"""One comparison at a time in one folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tapezoo.compare.errors import CompareError


@contextmanager
def lock_folder(out: Path) -> Iterator[int]:
    """Keeps other comparisons out of the folder `out`, which exists.

    Yields:
        The file descriptor that does. Whoever inherits it keeps them out too: a training whose comparison was
        killed goes on, and a second one beside it would write the same files.

    Raises:
        CompareError: Another comparison, or a training it left behind, is at work there.
    """
    descriptor = os.open(out, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CompareError(
                str(out),
                found="another `tapezoo compare` at work there, or a training that one left behind",
                expected="a folder for this comparison alone",
                fix="Wait until it has ended, end it, or choose another --out.",
            ) from error
        yield descriptor
    finally:
        os.close(descriptor)
