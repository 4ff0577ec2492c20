"""Plays and verifies a bundle with numpy and onnxruntime alone; knows no torch."""

from tapezoo.runtime.onnx_step import ONNX_ONLY, open_onnx
from tapezoo.runtime.replaying import verify
from tapezoo.runtime.stream import Stream

__all__ = ["ONNX_ONLY", "Stream", "open_onnx", "verify"]
