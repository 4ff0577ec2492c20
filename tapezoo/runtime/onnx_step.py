"""An exported graph as a function of arrays, in onnxruntime."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tapezoo.bundle import StateArrays, Step
from tapezoo.bundle.play import Audio

# onnxruntime sends telemetry on Linux too, and reads this only at import
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime


def open_session(path: Path, keep_memory: bool = True) -> onnxruntime.InferenceSession:
    """Opens a graph on one thread: nets this small are slower on more.

    Args:
        path: The graph.
        keep_memory: Faster, but every block length that was ever played keeps a plan of its memory, and the pool
            that serves all of them only grows.
    """
    options = onnxruntime.SessionOptions()
    options.enable_mem_pattern = options.enable_cpu_mem_arena = keep_memory
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = (
        3  # errors are raised anyway; its warnings concern names in loops, and no user can act on them
    )
    # from bytes: a graph that refers to weights in other files cannot load them
    return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])


def open_onnx(path: Path, state_names: Sequence[str]) -> Step:
    """Opens an exported graph as a `Step`."""
    return session_step(open_session(path), state_names)


def session_step(session: onnxruntime.InferenceSession, state_names: Sequence[str]) -> Step:
    """An open graph as a `Step`."""
    outputs = ["output", *(f"next_{name}" for name in state_names)]

    def step(input: Audio, controls: Audio, state: StateArrays) -> tuple[Audio, StateArrays]:
        feeds = {
            "input": input,
            "controls": controls,
            **{f"state_{name}": state[name] for name in state_names},
        }
        output, *after = session.run(outputs, feeds)
        return output, dict(zip(state_names, after, strict=True))

    return step
