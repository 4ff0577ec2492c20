"""Numba compilation of sample loops, cached on disk where the disk allows it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """`function` compiled to machine code; a read-only installation compiles anew in each process.

    It lets go of the interpreter while it runs, so that threads render side by side. Division by zero follows
    IEEE 754 instead of raising, which keeps a test out of every division.
    """
    return _compile(function, fastmath=False)


def compiled_freely(function: Function) -> Function:
    """As `compiled`, with sums in any order and products rounded with them: loops over rows become vectors.

    NaN and infinity stay what they are.
    """
    return _compile(function, fastmath={"reassoc", "contract", "nsz", "arcp"})


def _compile(function: Function, fastmath: bool | set[str]) -> Function:
    try:
        with _absolute_folders():
            found = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=fastmath)(function)
        _follow_callees(found, function)
    except RuntimeError:  # numba finds no writable cache folder ("no locator available")
        found = numba.njit(nogil=True, error_model="numpy", fastmath=fastmath)(function)
    return cast(Function, found)


def _follow_callees(found: Any, function: Function) -> None:
    """Numba looks for changes in the file of the function alone; what it calls is compiled into it and changes too."""
    files = {code.co_filename for code in _codes_called(cast(FunctionType, function), set())}
    stats = [Path(file).stat() for file in sorted(files)]
    index = found._cache._cache_file
    index._source_stamp = (index._source_stamp, [(stat.st_mtime_ns, stat.st_size) for stat in stats])


def _codes_called(function: FunctionType, known: set[CodeType]) -> set[CodeType]:
    """Of the compiled functions and intrinsics that it calls, and those that these call."""
    for name in function.__code__.co_names:
        used = function.__globals__.get(name)
        inner = getattr(used, "py_func", getattr(used, "_defn", None))
        if isinstance(inner, FunctionType) and inner.__code__ not in known:
            known.add(inner.__code__)
            _codes_called(inner, known)
    return known


@contextmanager
def _absolute_folders() -> Iterator[None]:
    """Numba unpickles, that is runs, what lies in its cache: never one in the working directory of the moment."""
    xdg, own = os.environ.get("XDG_CACHE_HOME"), numba.config.CACHE_DIR  # type: ignore[attr-defined]
    try:
        if xdg is not None and not Path(xdg).is_absolute():
            del os.environ["XDG_CACHE_HOME"]
        if not Path(own).is_absolute():
            numba.config.CACHE_DIR = ""  # type: ignore[attr-defined]
        yield
    finally:
        numba.config.CACHE_DIR = own  # type: ignore[attr-defined]
        if xdg is not None:
            os.environ["XDG_CACHE_HOME"] = xdg
