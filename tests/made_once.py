"""Files that take long to make, made once for all workers of a test session."""

from __future__ import annotations

import fcntl
import hashlib
import inspect
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

Answer = TypeVar("Answer")


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


def asked_once(factory: pytest.TempPathFactory, function: Callable[..., Answer]) -> Callable[..., Answer]:
    """`function`, which looks whether anybody in this session asked the same: for what is pure and takes long.

    Args:
        factory: Of temporary folders.
        function: Of arrays and numbers; every caller gets a copy of the answer of its own.
    """
    parameters = inspect.signature(function)

    def asked(*given: Any, **named: Any) -> Answer:
        bound = parameters.bind(*given, **named)
        question = hashlib.sha256(f"{function.__module__}.{function.__qualname__}".encode())
        for argument in (*bound.args, *sorted(bound.kwargs.items())):
            if isinstance(argument, np.ndarray):
                question.update(repr((argument.dtype, argument.shape)).encode())
                question.update(np.ascontiguousarray(argument))
            else:
                question.update(repr(argument).encode())

        def answer(path: Path) -> None:
            path.write_bytes(pickle.dumps(function(*bound.args, **bound.kwargs)))

        name = f"{function.__name__}-{question.hexdigest()}"
        found: Answer = pickle.loads(made_once(factory, name, answer).read_bytes())
        return found

    return asked
