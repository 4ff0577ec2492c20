"""Nets as compiled loops over explicit vectors, in numba: the fastest player where numba is installed."""

from tapezoo.runtime.kernels.engine import KernelEngine
from tapezoo.runtime.kernels.file import KernelFile, read_kernel, write_kernel
from tapezoo.runtime.kernels.step import open_kernel

__all__ = ["KernelEngine", "KernelFile", "open_kernel", "read_kernel", "write_kernel"]
