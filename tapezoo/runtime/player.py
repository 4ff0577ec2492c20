"""A host's blocks as they come, through all channels and what stands behind the net, on memory that is made once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from tapezoo.bundle.play import Audio

FLOAT = np.dtype(np.float32)  # numpy has a single instance, so `is` compares it
MOST_SAMPLES = 4096  # in a call
MOST_POWER = 1e4  # mean of squares of a block that is not looked at closer: 40 dB over full scale
PLAYED, UNFIT, LEFT_BOUNDS = range(3)


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

    @property
    def float_ceiling(self) -> float:
        """The largest float32 below the ceiling: rounding may not lift anything over it."""
        return float(np.nextafter(np.float32(self.ceiling), np.float32(0)))


class Player(ABC):
    """Plays blocks.

    Args:
        count: Of channels.
        controls: Where they are, (num_controls,).
    """

    def __init__(self, count: int, controls: Audio) -> None:
        self._count = count
        self._input, self._output = (np.zeros(count * MOST_SAMPLES, np.float32) for _ in range(2))
        self._told = controls
        self._positions = np.array(controls, np.float32)  # what the net reads
        self.left_bounds = False
        self._shape: tuple[int, ...] = ()
        self._in_block = self._out_block = self._input[:0]

    @abstractmethod
    def _cut(self, samples: int) -> None:
        """Blocks have so many samples from now on: rows of input and output lie one after another."""

    @abstractmethod
    def _run(self, turned: bool, checked: bool) -> int:
        """Plays what is in the input; PLAYED, LEFT_BOUNDS, or UNFIT, when nothing has happened.

        Args:
            turned: Whether the positions are others than the last time.
            checked: Whether the samples are known to be fit.
        """

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
        if block.shape != self._shape and not self._make_room(block.shape):
            return None
        self._in_block[...] = block
        before = self._told
        if turned := controls is not before:
            self._told = controls
            self._positions[...] = controls
        if code := self._run(turned, False):
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
        for start in range(0, rows.shape[1], MOST_SAMPLES):
            part = rows[:, start : start + MOST_SAMPLES]
            self._make_room(part.shape)
            self._in_block[...] = part
            if self._run(True, True):
                output[:, start:] = np.nan
                break
            output[:, start : start + part.shape[1]] = self._out_block
        return output

    def _make_room(self, shape: tuple[int, ...]) -> bool:
        """For blocks of this shape; whether they fit."""
        count, samples = shape if len(shape) == 2 else (1, *shape) if len(shape) == 1 else (0, 0)
        if count != self._count or not 0 < samples <= MOST_SAMPLES:
            return False
        size = count * samples
        self._in_block, self._out_block = (
            memory[:size].reshape(shape) for memory in (self._input, self._output)
        )
        self._shape = shape
        self._cut(samples)
        return True


class QuickEngine:
    """An engine whose player takes a host's blocks as they come, with what stands behind the net."""

    player: Player | None = None
    """Of the channels that were started last."""

    _behind = Behind()

    def put_behind(self, behind: Behind) -> None:
        """What stands behind the net from the next `start` on."""
        self._behind = behind

    def play(self, rows: Audio, controls: Audio) -> Audio:
        """See `Engine.play`; with what stands behind the net."""
        assert self.player is not None
        return self.player.play_checked(rows, controls)
