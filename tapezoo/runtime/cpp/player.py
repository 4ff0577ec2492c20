"""All channels of a compiled model, and what stands behind the net, in one call on memory that is made once."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tapezoo.bundle.play import Audio
from tapezoo.runtime.cpp.library import Instance

FLOAT = np.dtype(np.float32)  # numpy has a single instance, so `is` compares it
MOST_SAMPLES = 4096  # in a call


@dataclass(frozen=True)
class Behind:
    """What stands behind the net, see `tapezoo.runtime.stream.Stream`; without arguments nothing does.

    Args:
        pole: Of the DC blocker; None: there is none.
        mix: Share of the net, 0..1.
        delay_samples: Of the input that it is mixed with.
        knee: Of the limiter, 1 is full scale; None: there is none.
        ceiling: Of it.
    """

    pole: float | None = None
    mix: float = 1.0
    delay_samples: int = 0
    knee: float | None = None
    ceiling: float = 1.0


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


class Player:
    """Plays blocks.

    Args:
        channels: Of one library.
        controls: Where they are, (num_controls,).
        behind: See there.
    """

    def __init__(self, channels: Sequence[Instance], controls: Audio, behind: Behind) -> None:
        count = len(channels)
        self._channels = tuple(channels)  # they own the memory of the models
        self._call = channels[0].play_job
        self._models = (ctypes.c_void_p * count)(*(channel.address for channel in channels))
        self._input, self._output = (np.zeros((count, MOST_SAMPLES), np.float32) for _ in range(2))
        self._told = controls
        self._positions = np.array(controls, np.float32)  # what the models read
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
            # float32 rounding may not lift anything over the ceiling
            ceiling=float(np.nextafter(np.float32(behind.ceiling), np.float32(0))),
            limits=int(behind.knee is not None),
            channels=count,
            delay=behind.delay_samples,
        )
        self._pointer = ctypes.addressof(self._job)
        self.left_bounds = False
        self._shape: tuple[int, ...] = ()
        self._in_block = self._out_block = self._input[:0]

    def play(self, block: Audio, controls: Audio) -> Audio | None:
        """A block as a host gives it, if it is float32 as before.

        Args:
            block: (samples,) of one channel, or (channels, samples).
            controls: (num_controls,), in a new array where they are others than the last time.

        Returns:
            None, without any change, if the block needs checking first: another type, shape or length than fits, or
            samples that are not finite or far over full scale. `left_bounds` is set if the net left its bounds.
        """
        if block.__class__ is not np.ndarray or block.dtype is not FLOAT:
            return None
        if block.shape != self._shape and not self._cut(block.shape):
            return None
        self._in_block[...] = block
        if controls is not self._told:
            before, self._told = self._told, controls
            self._positions[...] = controls
        else:
            before = controls
        if code := self._call(self._pointer):
            if code == UNFIT:
                self._told = before
                self._positions[...] = before
                return None
            self.left_bounds = True
        return self._out_block.copy()

    def play_checked(self, rows: Audio, controls: Audio) -> Audio:
        """Rows that are known to be fit, of any length, (channels, samples); controls (num_controls,)."""
        self._positions[...] = self._told = controls
        output = np.empty(rows.shape, np.float32)
        self._job.checked = 1
        for start in range(0, rows.shape[1], MOST_SAMPLES):
            part = rows[:, start : start + MOST_SAMPLES]
            self._cut(part.shape)
            self._in_block[...] = part
            if self._call(self._pointer):
                output[:, start:] = np.nan
                break
            output[:, start : start + part.shape[1]] = self._out_block
        self._job.checked = 0
        return output

    def _cut(self, shape: tuple[int, ...]) -> bool:
        """Makes room for blocks of this shape; whether they fit."""
        count, samples = shape if len(shape) == 2 else (1, *shape) if len(shape) == 1 else (0, 0)
        if count != len(self._channels) or not 0 < samples <= MOST_SAMPLES:
            return False
        size = count * samples
        self._in_block = self._input.reshape(-1)[:size].reshape(shape)
        self._out_block = self._output.reshape(-1)[:size].reshape(shape)
        self._job.samples, self._shape = samples, shape
        return True


class QuickEngine:
    """An engine whose player takes a host's blocks as they come, with what stands behind the net."""

    player: Player | None = None
    """Of the channels that were started last."""

    _behind = Behind()

    def put_behind(self, behind: Behind) -> None:
        """What stands behind the net from the next `start` on."""
        self._behind = behind


UNFIT = 1  # what a job answers; 2: the net left all bounds
