"""All channels of a compiled model, and what stands behind the net, in one foreign call."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np

from tapezoo.bundle.play import Audio
from tapezoo.runtime.cpp.library import Instance
from tapezoo.runtime.player import Behind, Player


class _Job(ctypes.Structure):
    """As in library.cpp."""

    _fields_ = (
        ("models", ctypes.c_void_p),
        ("input", ctypes.c_void_p),
        ("output", ctypes.c_void_p),
        ("controls", ctypes.c_void_p),
        ("blocked", ctypes.c_void_p),
        ("delayed", ctypes.c_void_p),
        ("pole", ctypes.c_double),
        ("mix", ctypes.c_float),
        ("knee", ctypes.c_float),
        ("ceiling", ctypes.c_float),
        ("limits", ctypes.c_int),
        ("channels", ctypes.c_int),
        ("samples", ctypes.c_int),
        ("delay", ctypes.c_int),
        ("delay_at", ctypes.c_int),
        ("checked", ctypes.c_int),
    )


class CompiledPlayer(Player):
    """See `Player`.

    Args:
        channels: Of one library.
        controls: Where they are, (num_controls,).
        behind: See there.
    """

    def __init__(self, channels: Sequence[Instance], controls: Audio, behind: Behind) -> None:
        count = len(channels)
        super().__init__(count, controls)
        self._channels = tuple(channels)  # they own the memory of the models
        self._call = channels[0].play_job
        self._models = (ctypes.c_void_p * count)(*(channel.address for channel in channels))
        self._blocked = np.zeros((count, 2))  # x[n-1], y[n-1]
        self._delayed = np.zeros((count, max(behind.delay_samples, 1)), np.float32)
        self._job = _Job(
            models=ctypes.addressof(self._models),
            input=self._input.ctypes.data,
            output=self._output.ctypes.data,
            controls=self._positions.ctypes.data,
            blocked=self._blocked.ctypes.data if behind.pole is not None else None,
            delayed=self._delayed.ctypes.data if behind.mix < 1 else None,
            pole=behind.pole or 0.0,
            mix=behind.mix,
            knee=behind.knee or 0.0,
            ceiling=behind.float_ceiling,
            limits=int(behind.knee is not None),
            channels=count,
            delay=behind.delay_samples,
        )
        self._pointer = ctypes.addressof(self._job)

    def _cut(self, samples: int) -> None:
        self._job.samples = samples

    def _run(self, turned: bool, checked: bool) -> int:
        if checked:
            self._job.checked = 1
            code = self._call(self._pointer)
            self._job.checked = 0
            return code
        return self._call(self._pointer)
