"""Plays and verifies a bundle with numpy and onnxruntime alone, without torch."""

from tapezoo.bundle import NotInstalledError
from tapezoo.runtime.apart import Apart
from tapezoo.runtime.engines import (
    default_engine,
    engine_for_one_file,
    engine_names,
    engines_of,
    missing_modules,
)
from tapezoo.runtime.errors import EngineError
from tapezoo.runtime.onnx_step import open_onnx
from tapezoo.runtime.soft_limiter import SoftLimiter
from tapezoo.runtime.stream import Stream
from tapezoo.runtime.verification import Openers, compiling_openers, installed_openers, verify

__all__ = [
    "Apart",
    "EngineError",
    "NotInstalledError",
    "Openers",
    "SoftLimiter",
    "Stream",
    "compiling_openers",
    "default_engine",
    "engine_for_one_file",
    "engine_names",
    "engines_of",
    "installed_openers",
    "missing_modules",
    "open_onnx",
    "verify",
]
