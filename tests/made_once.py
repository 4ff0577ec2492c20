"""Files that take long to make, made once for all workers of a test session."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest


def session_folder(factory: pytest.TempPathFactory) -> Path:
    """The temporary folder that all workers of this session share."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The file or folder `name`, to be read only; whoever comes first makes it, under another name.

    Args:
        factory: Of temporary folders.
        name: Of the file or folder in the folder of the session.
        make: Makes it under the path it is given; the suffix is that of `name`.
    """
    path = session_folder(factory) / name
    with (path.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            part = path.with_name(f"part-{name}")
            make(part)
            part.rename(path)
    return path
