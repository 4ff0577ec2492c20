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
    """`function` compiled to machine code. In a read-only installation it is compiled again in each process.

    It releases the GIL while it runs, so that threads render in parallel. Division by zero follows
    IEEE 754 instead of raising, which avoids a test at every division.
    """
    return _compile(function, fastmath=False)


def compiled_freely(function: Function) -> Function:
    """Like `compiled`, but sums may be reordered and fused with products, so that loops over rows are vectorised.

    NaN and infinity are still handled correctly.
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
    """Numba checks only the function's own file for changes; this includes the functions that are compiled into it."""
    files = {code.co_filename for code in _codes_called(cast(FunctionType, function), set())}
    stats = [Path(file).stat() for file in sorted(files)]
    index = found._cache._cache_file
    index._source_stamp = (index._source_stamp, [(stat.st_mtime_ns, stat.st_size) for stat in stats])


def _codes_called(function: FunctionType, known: set[CodeType]) -> set[CodeType]:
    """The code of the compiled functions and intrinsics that it calls, directly or indirectly."""
    for name in function.__code__.co_names:
        used = function.__globals__.get(name)
        inner = getattr(used, "py_func", getattr(used, "_defn", None))
        if isinstance(inner, FunctionType) and inner.__code__ not in known:
            known.add(inner.__code__)
            _codes_called(inner, known)
    return known


@contextmanager
def _absolute_folders() -> Iterator[None]:
    """Makes cache paths absolute: numba unpickles, that is runs, its cache; a relative path is unsafe."""
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
