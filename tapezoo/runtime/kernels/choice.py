"""Which engine plays a kernel target: C++ that is compiled here where there is a compiler, else numba."""

from __future__ import annotations

import os
from pathlib import Path

from tapezoo.bundle import Manifest
from tapezoo.runtime.cpp.compiler import CompilerError
from tapezoo.runtime.cpp.engine import CompiledEngine
from tapezoo.runtime.kernels.engine import KernelEngine

CHOICE = "TAPEZOO_KERNEL"  # environment variable; "numba": C++ is compiled only if its engine is asked for


def open_kernel_engine(
    root: Path, manifest: Manifest, target: str = "kernel"
) -> CompiledEngine | KernelEngine:
    """The faster engine that works here; its `preparation` names it and why the other was not used.

    Raises:
        EngineError: The file is not as its kernel needs it, or of another net than the manifest's.
    """
    if os.environ.get(CHOICE) == "numba":
        return KernelEngine(root, manifest, target)
    try:
        return CompiledEngine(root, manifest, target)
    except CompilerError as error:
        engine = KernelEngine(root, manifest, target)
        engine.preparation = f"plays with numba, not as C++: {error.found}"
        return engine
