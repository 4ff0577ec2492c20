"""Plays and verifies a bundle with numpy and onnxruntime alone; knows no torch."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapezoo.bundle import (
    MissingFileError,
    OpenTarget,
    Report,
    State,
    Step,
    open_target,
    read_manifest,
    read_rest,
    verify_bundle,
    verify_hashes,
)
from tapezoo.controls import ControlError, control_vector

# onnxruntime reports usage from Linux too, and reads this only while it is imported
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime

SETTLE_BLOCK_SAMPLES = 2048
Audio = NDArray[np.float32]
Controls = Mapping[str, float] | Sequence[float] | NDArray[Any]


def open_onnx(path: Path, state_names: Sequence[str]) -> Step:
    """Opens an exported graph on one thread: nets this small lose by more."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # from bytes: a graph that points to weights in other files finds none
    session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    outputs = ["output", *(f"next_{name}" for name in state_names)]

    def step(input: Audio, controls: Audio, state: State) -> tuple[Audio, State]:
        feeds = {
            "input": input,
            "controls": controls,
            **{f"state_{name}": state[name] for name in state_names},
        }
        output, *after = session.run(outputs, feeds)
        return output, dict(zip(state_names, after, strict=True))

    return step


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
        self._step = open_target(open_onnx, root, self.manifest, "onnx")
        self._rest = read_rest(root, self.manifest)
        self._default = self._vector({})
        self.added_latency_samples = self.manifest.hop_samples - 1  # the least that never runs dry
        self.reset()

    def reset(self) -> None:
        """Back to rest with all controls at their defaults; the channel count is free again."""
        self._controls = self._default
        self._state: State | None = None
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
        if self._state is None:
            self._start(len(rows))
        if len(rows) != len(self._waiting):
            raise ValueError(f"{len(rows)} channels after {len(self._waiting)}: call reset() in between")
        if self.manifest.hop_samples == 1:
            return self._play(rows).reshape(np.shape(block))
        return self._rebuffered(rows).reshape(np.shape(block))

    def _rebuffered(self, rows: Audio) -> Audio:
        self._waiting = np.concatenate([self._waiting, rows], axis=1)
        whole = self._waiting.shape[1] // self.manifest.hop_samples * self.manifest.hop_samples
        if whole:
            self._ready = np.concatenate([self._ready, self._play(self._waiting[:, :whole])], axis=1)
            self._waiting = self._waiting[:, whole:]
        output, self._ready = np.split(self._ready, [rows.shape[1]], axis=1)
        return output

    def _start(self, channels: int) -> None:
        self._state = {name: value[np.newaxis] for name, value in self._rest.items()}
        if self._state and not np.array_equal(self._controls, self._default):
            hop = self.manifest.hop_samples
            block = -(-SETTLE_BLOCK_SAMPLES // hop) * hop
            for _ in range(0, self.manifest.settle_samples, block):
                self._play(np.zeros((1, block), np.float32))
        self._state = {name: np.repeat(value, channels, axis=0) for name, value in self._state.items()}
        self._waiting = np.zeros((channels, 0), np.float32)
        self._ready = np.zeros((channels, self.added_latency_samples), np.float32)

    def _play(self, rows: Audio) -> Audio:
        assert self._state is not None
        controls = np.repeat(self._controls[np.newaxis], len(rows), axis=0)
        output, self._state = self._step(np.ascontiguousarray(rows[:, np.newaxis]), controls, self._state)
        return np.asarray(output[:, 0])

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


ONNX_ONLY: Mapping[str, OpenTarget] = MappingProxyType({"onnx": open_onnx})


def verify(
    bundle: Path | str, openers: Mapping[str, OpenTarget] = ONNX_ONLY, seal_sha256: str | None = None
) -> Report:
    """Checks every hash of a bundle and replays its ONNX target; see `tapezoo.bundle.verify_bundle`.

    Args:
        bundle: The bundle's folder.
        openers: By target name; `tapezoo.export.openers()` has one for every target, and needs torch.
        seal_sha256: The registered hash of SHA256SUMS, where there is one.

    Raises:
        BundleError: The first fault found, with the file at fault.
    """
    return verify_bundle(Path(bundle), openers, seal_sha256)
