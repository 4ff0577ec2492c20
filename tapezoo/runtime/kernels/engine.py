"""The kernel target of a bundle as an engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tapezoo.bundle import Manifest, read_rest
from tapezoo.bundle.play import Audio, repeat_rows, settle
from tapezoo.controls import control_vector
from tapezoo.runtime.engine import SETTLE_BLOCK_SAMPLES
from tapezoo.runtime.kernels.file import file_error
from tapezoo.runtime.kernels.player import KernelPlayer
from tapezoo.runtime.kernels.step import channel_step
from tapezoo.runtime.kernels.voices import channel_maker
from tapezoo.runtime.loops import begun_rows
from tapezoo.runtime.player import QuickEngine


class KernelEngine(QuickEngine):
    """See `Engine`: one channel of the kernel for each of the signal, the state in its own buffers.

    Opening it waits for the compiler, a few seconds; the compiled code is kept on disk for the next process.

    Args:
        root: The bundle's folder.
        manifest: Of it.
        target: Name of its kernel target.

    Raises:
        EngineError: The file is not as its kernel needs it, or of another net than the manifest's.
    """

    preparation: str = ""

    def __init__(self, root: Path, manifest: Manifest, target: str = "kernel") -> None:
        self._manifest = manifest
        self._make = channel_maker(root / manifest.targets[target])
        self._rest = read_rest(root, manifest)
        self._default = np.array(control_vector(manifest.controls, {}), dtype=np.float32)
        try:
            self.start(1, self._default)
            self.play(np.zeros((1, 1), np.float32), self._default)  # compiles here, not in the first block
        except (ValueError, KeyError) as error:
            raise file_error(root / manifest.targets[target], error) from error

    def start(self, channels: int, controls: Audio) -> None:
        """See `Engine.start`."""
        state = repeat_rows(self._rest, 1)
        if not np.array_equal(controls, self._default):
            step = channel_step(self._make(), self._manifest.state_names)
            state = settle(
                step,
                controls[np.newaxis],
                state,
                self._manifest.settle_samples,
                SETTLE_BLOCK_SAMPLES,
                self._manifest.endless_states,
            )
        state = begun_rows({name: np.repeat(value, channels, axis=0) for name, value in state.items()})
        made = [self._make() for _ in range(channels)]
        for row, channel in enumerate(made):
            channel.load({name: value[row] for name, value in state.items()})
        self.player = KernelPlayer(made, controls, self._behind)
        for channel in made:
            channel.aim(controls)
