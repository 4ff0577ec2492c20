"""All channels of a kernel, and what stands behind the net."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from tapezoo.bundle.play import Audio
from tapezoo.runtime.kernels.behind import finish, power
from tapezoo.runtime.kernels.channel import Channel
from tapezoo.runtime.kernels.tape import TapedChannel
from tapezoo.runtime.player import LEFT_BOUNDS, MOST_POWER, PLAYED, UNFIT, Behind, Player


class KernelPlayer(Player):
    """See `Player`.

    Args:
        channels: Of one kernel.
        controls: Where they are, (num_controls,).
        behind: See there.
    """

    def __init__(self, channels: Sequence[Channel | TapedChannel], controls: Audio, behind: Behind) -> None:
        super().__init__(len(channels), controls)
        self._channels = tuple(channels)
        blocks, limits = behind.pole is not None, behind.knee is not None
        self._settings = np.array(
            [
                blocks,
                behind.pole or 0,
                behind.mix < 1,
                behind.mix,
                limits,
                behind.knee or 0,
                behind.float_ceiling,
            ],
            np.float64,
        )
        self._finishes = blocks or behind.mix < 1 or limits
        self._blocked = np.zeros((len(channels), 2))
        self._delayed = np.zeros((len(channels), behind.delay_samples), np.float32)
        self._place = np.zeros(1, np.int64)
        self._plays: tuple[Callable[[], object], ...] = ()
        self._flat = self._flat_result = self._rows = self._result = self._input[:0]

    def _cut(self, samples: int) -> None:
        size = self._count * samples
        self._flat, self._flat_result = self._input[:size], self._output[:size]
        self._rows, self._result = (
            memory[:size].reshape(-1, samples) for memory in (self._input, self._output)
        )
        self._plays = tuple(
            channel.bind(row, result)
            for channel, row, result in zip(self._channels, self._rows, self._result, strict=True)
        )

    def _run(self, turned: bool, checked: bool) -> int:
        if not checked and not power(self._flat) <= MOST_POWER:  # not so for NaN either
            return UNFIT
        if turned:
            for channel in self._channels:
                channel.aim(self._positions)
        for play in self._plays:
            play()
        if not math.isfinite(power(self._flat_result)):
            return LEFT_BOUNDS
        if self._finishes:
            finish(self._rows, self._result, self._settings, self._blocked, self._delayed, self._place)
        return PLAYED
