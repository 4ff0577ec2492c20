"""A bundle as an effect: blocks in, blocks out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapezoo.bundle import MissingFileError, read_manifest, verify_hashes
from tapezoo.bundle.golden import Audio
from tapezoo.controls import ControlError, control_vector
from tapezoo.runtime.engine import Engine
from tapezoo.runtime.onnx_engine import OnnxEngine

Controls = Mapping[str, float] | Sequence[float] | NDArray[Any]


class Stream:
    """A bundle as an effect: blocks in, blocks out, the state carried from one call to the next.

    The first block starts from the machine at rest at its controls. Output is `manifest.latency_samples`
    plus `added_latency_samples` late; the second is 0 unless the net needs blocks of `manifest.hop_samples`.

    Args:
        bundle: The bundle's folder.
        verify: Check every hash before anything is loaded.

    Raises:
        BundleError: See `tapezoo.bundle.verify_hashes`; MissingFileError where there is no ONNX target.
    """

    def __init__(self, bundle: Path | str, verify: bool = True) -> None:
        root = Path(bundle)
        self.manifest = verify_hashes(root)[0] if verify else read_manifest(root)
        if "onnx" not in self.manifest.targets:
            raise MissingFileError.about(
                root, "model.onnx", "no ONNX target", "one: the runtime plays no other"
            )
        self._engine: Engine = OnnxEngine(root, self.manifest)
        self._default = self._vector({})
        self.added_latency_samples = self.manifest.hop_samples - 1  # the least that never runs dry
        self.reset()

    def reset(self) -> None:
        """Back to rest with all controls at their defaults; the channel count is free again."""
        self._controls = self._default
        self._started = False
        self._waiting = np.zeros((0, 0), np.float32)  # input that does not fill a hop yet
        self._ready = np.zeros((0, 0), np.float32)  # output that was not asked for yet

    def process(self, block: Audio, controls: Controls | None = None) -> Audio:
        """Plays one block; the first block of a stream may take longer, for settling at other controls.

        Args:
            block: Full scale is +-1; finite. Rows are channels, each with a state of its own.
            controls: User units by name (defaults for the rest), or net positions 0..1, one per control;
                they hold until the next time they are given. None: as they stand.

        Shape:
            block: (samples,) or (channels, samples), any length; the result has the same.

        Raises:
            ControlError: An unknown control, a value outside its range, a wrong number of positions.
            ValueError: Another shape, another channel count than before, or samples that are not finite.
        """
        rows = np.atleast_2d(np.asarray(block, dtype=np.float32))
        if rows.ndim != 2 or not np.isfinite(rows).all():
            raise ValueError(
                f"a block must be (samples,) or (channels, samples) and finite, not {rows.shape}"
            )
        if controls is not None:
            self._controls = self._vector(controls)
        if not rows.size:
            return np.zeros(np.shape(block), np.float32)
        if not self._started:
            self._start(len(rows))
        if len(rows) != len(self._waiting):
            raise ValueError(f"{len(rows)} channels after {len(self._waiting)}: call reset() in between")
        if self.manifest.hop_samples == 1:
            return self._engine.play(rows, self._controls).reshape(np.shape(block))
        return self._rebuffered(rows).reshape(np.shape(block))

    def _rebuffered(self, rows: Audio) -> Audio:
        self._waiting = np.concatenate([self._waiting, rows], axis=1)
        whole = self._waiting.shape[1] // self.manifest.hop_samples * self.manifest.hop_samples
        if whole:
            self._ready = np.concatenate(
                [self._ready, self._engine.play(self._waiting[:, :whole], self._controls)], axis=1
            )
            self._waiting = self._waiting[:, whole:]
        output, self._ready = np.split(self._ready, [rows.shape[1]], axis=1)
        return output

    def _start(self, channels: int) -> None:
        self._engine.start(channels, self._controls)
        self._waiting = np.zeros((channels, 0), np.float32)
        self._ready = np.zeros((channels, self.added_latency_samples), np.float32)
        self._started = True

    def _vector(self, controls: Controls) -> Audio:
        known = self.manifest.controls
        if isinstance(controls, Mapping):
            return np.array(control_vector(known, controls), dtype=np.float32)
        positions = np.asarray(controls, dtype=np.float32)
        if positions.shape != (len(known),) or not ((positions >= 0) & (positions <= 1)).all():
            raise ControlError(
                "controls",
                found=f"the positions {positions.tolist()}",
                expected=f"{len(known)} from 0 to 1 ({', '.join(c.name for c in known) or 'no control'})",
                fix="Give one position per control, or values by name.",
            )
        return positions.copy()
