"""The ONNX target of a bundle as an engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tapezoo.bundle import Manifest, State, open_target, read_rest
from tapezoo.bundle.golden import Audio
from tapezoo.controls import control_vector
from tapezoo.runtime.engine import SETTLE_BLOCK_SAMPLES
from tapezoo.runtime.onnx_step import open_onnx


class OnnxEngine:
    """See `Engine`.

    Args:
        root: The bundle's folder.
        manifest: Of it.
    """

    def __init__(self, root: Path, manifest: Manifest) -> None:
        self._manifest = manifest
        self._step = open_target(open_onnx, root, manifest, "onnx")
        self._rest = read_rest(root, manifest)
        self._default = np.array(control_vector(manifest.controls, {}), dtype=np.float32)
        self._state: State = {}

    def start(self, channels: int, controls: Audio) -> None:
        """See `Engine.start`."""
        self._state = {name: value[np.newaxis] for name, value in self._rest.items()}
        if self._state and not np.array_equal(controls, self._default):
            hop = self._manifest.hop_samples
            block = -(-SETTLE_BLOCK_SAMPLES // hop) * hop
            for _ in range(0, self._manifest.settle_samples, block):
                self.play(np.zeros((1, block), np.float32), controls)
        self._state = {name: np.repeat(value, channels, axis=0) for name, value in self._state.items()}

    def play(self, rows: Audio, controls: Audio) -> Audio:
        """See `Engine.play`."""
        positions = np.repeat(controls[np.newaxis], len(rows), axis=0)
        output, self._state = self._step(np.ascontiguousarray(rows[:, np.newaxis]), positions, self._state)
        return np.asarray(output[:, 0])
