"""Plays and verifies a bundle with numpy and onnxruntime alone; knows no torch."""

from tapezoo.runtime.apart import Apart
from tapezoo.runtime.engines import (
    ENGINES,
    EngineNotInstalledError,
    UnknownEngineError,
    engines_of,
    missing_modules,
)
from tapezoo.runtime.onnx_step import ONNX_ONLY, open_onnx
from tapezoo.runtime.replaying import Openers, installed_openers, verify
from tapezoo.runtime.soft_limiter import SoftLimiter
from tapezoo.runtime.stream import NotFiniteOutputError, Stream

__all__ = [
    "ENGINES",
    "ONNX_ONLY",
    "Apart",
    "EngineNotInstalledError",
    "NotFiniteOutputError",
    "Openers",
    "SoftLimiter",
    "Stream",
    "UnknownEngineError",
    "engines_of",
    "installed_openers",
    "missing_modules",
    "open_onnx",
    "verify",
]
