"""The ONNX target of a bundle as an engine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tapezoo.blocks import allowed_block
from tapezoo.bundle import BundleError, Manifest, StateArrays, read_rest
from tapezoo.bundle.play import Audio, repeat_rows, settle
from tapezoo.controls import control_vector
from tapezoo.runtime.engine import SETTLE_BLOCK_SAMPLES
from tapezoo.runtime.onnx_step import open_session, session_step

if TYPE_CHECKING:
    import onnxruntime  # onnx_step imports it, once its telemetry is off

STEADY_SHAPES = 8


class OnnxEngine:
    """See `Engine`.

    Input, output and two copies of the state stay where they are, bound to the session; each block reads one copy and
    writes the other. Against `session.run` with a dictionary that is 1.15 times as fast for an LSTM of 32 units in
    blocks of 64 and 1.05 times for a WaveNet; `benchmarks/stream.py` prints what it brings, and what was tried and
    left out.

    onnxruntime plans its memory for every shape it meets and keeps the plan (some 25 KB per block length for a
    WaveNet), and keeps what was ever used in a pool. So the first `STEADY_SHAPES` lengths are played that way,
    and any further lengths in a session that does neither, so that memory does not grow.

    Args:
        root: The bundle's folder.
        manifest: Of it.
        target: Name of an ONNX target of the bundle.

    Raises:
        BundleError: onnxruntime refuses the file.
    """

    preparation = ""

    def __init__(self, root: Path, manifest: Manifest, target: str = "onnx") -> None:
        self._manifest = manifest
        file = manifest.targets[target]
        try:
            self._keeping = open_session(root / file)
            self._frugal = open_session(root / file, keep_memory=False)
        except Exception as error:  # onnxruntime has exceptions of its own
            found = f"a file that onnxruntime rejects ({type(error).__name__}: {error})"
            raise BundleError(
                root, file, found=found, expected="a working target", fix="Export the bundle again."
            ) from error
        self._rest = read_rest(root, manifest)
        self._default = np.array(control_vector(manifest.controls, {}), dtype=np.float32)
        self._steady: set[tuple[int, ...]] = set()
        self._bound: _Bound | None = None
        self._state: StateArrays = {}

    def start(self, channels: int, controls: Audio) -> None:
        """See `Engine.start`."""
        state, manifest = repeat_rows(self._rest, 1), self._manifest
        if not np.array_equal(controls, self._default):
            block = allowed_block(SETTLE_BLOCK_SAMPLES, manifest.hop_samples, manifest.max_block_samples)
            step = session_step(self._keeping, manifest.state_names)
            asked, samples = controls[np.newaxis], manifest.settle_samples
            state = settle(step, asked, state, samples, block, manifest.endless_states)
        self._bound = None
        self._state = {name: np.repeat(value, channels, axis=0) for name, value in state.items()}

    def play(self, rows: Audio, controls: Audio) -> Audio:
        """See `Engine.play`."""
        if self._bound is None or self._bound.shape != rows.shape:
            if self._bound is not None:
                self._state = self._bound.state
            self._bound = _Bound(self._session(rows.shape), rows.shape, len(controls), self._state)
        return self._bound.play(rows, controls)

    def _session(self, shape: tuple[int, ...]) -> onnxruntime.InferenceSession:
        if len(self._steady) < STEADY_SHAPES:
            self._steady.add(shape)
        return self._keeping if shape in self._steady else self._frugal


class _Bound:
    """A session with its inputs and outputs where they stay, for blocks of one shape."""

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        shape: tuple[int, ...],
        num_controls: int,
        state: StateArrays,
    ) -> None:
        rows, samples = shape
        self.shape = shape
        self._session = session
        self._input = np.zeros((rows, 1, samples), np.float32)
        self._output = np.zeros((rows, 1, samples), np.float32)
        self._controls = np.zeros((rows, num_controls), np.float32)
        # in this order: what is read, what is written
        self._states = [
            {name: np.array(value, order="C") for name, value in state.items()},
            {name: np.empty_like(value, order="C") for name, value in state.items()},
        ]
        before, after = self._states
        self._bindings = [self._binding(before, after), self._binding(after, before)]

    @property
    def state(self) -> StateArrays:
        """As it stands."""
        return self._states[0]

    def play(self, rows: Audio, controls: Audio) -> Audio:
        """One block; the result is the caller's."""
        self._input[:, 0] = rows
        self._controls[:] = controls
        self._session.run_with_iobinding(self._bindings[0])
        self._states.reverse()
        self._bindings.reverse()
        return self._output[:, 0].copy()

    def _binding(self, before: StateArrays, after: StateArrays) -> onnxruntime.IOBinding:
        binding = self._session.io_binding()
        inputs = {"input": self._input, "controls": self._controls}
        for name, value in {**inputs, **{f"state_{name}": value for name, value in before.items()}}.items():
            binding.bind_cpu_input(name, value)
        outputs = {"output": self._output, **{f"next_{name}": value for name, value in after.items()}}
        for name, value in outputs.items():
            binding.bind_output(name, "cpu", 0, value.dtype.type, value.shape, value.ctypes.data)
        return binding
