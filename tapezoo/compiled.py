"""Numba compilation of sample loops, cached on disk where the disk allows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """`function` compiled to machine code; a read-only installation compiles anew in each process.

    It lets go of the interpreter while it runs, so that threads render side by side. Division by zero follows
    IEEE 754 instead of raising, which keeps a test out of every division.
    """
    try:
        return cast(Function, numba.njit(cache=True, nogil=True, error_model="numpy")(function))
    except RuntimeError:  # numba finds no writable cache folder ("no locator available")
        return cast(Function, numba.njit(nogil=True, error_model="numpy")(function))
