"""Keeps freed memory in the process while training."""

from __future__ import annotations

import ctypes

# malloc.h of the GNU C library
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -2, -3, -4
LARGEST_INT = 2**31 - 1
TOP_PAD_BYTES = 1 << 28


def keep_memory() -> bool:
    """Tells glibc's malloc not to hand large buffers back to the kernel after every step.

    Recurrent training on a CPU allocates and frees the same large buffers thousands of times; getting
    them anew from the kernel each time costs up to half the run (see benchmarks/train.py).

    Returns:
        Whether the C library took the settings; other libraries are left alone.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # not glibc
        return False
    # mallopt takes an int, so the thresholds of several GB that an environment variable can set are out of
    # reach; switching mmap off for allocations has the same effect
    settings = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, LARGEST_INT), (M_TOP_PAD, TOP_PAD_BYTES))
    taken = [bool(mallopt(name, value)) for name, value in settings]
    return all(taken)
