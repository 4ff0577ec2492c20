"""A delay line in blocks."""

from __future__ import annotations

import numpy as np

from tapezoo.bundle.play import Audio


class Delay:
    """Rows, so many samples later; silence before.

    Args:
        samples: 0 or more.
    """

    def __init__(self, samples: int) -> None:
        self._samples = samples
        self.start(0)

    def start(self, channels: int) -> None:
        """From silence, for so many channels."""
        self._waiting: Audio = np.zeros((channels, self._samples), np.float32)

    def play(self, rows: Audio) -> Audio:
        """One block of any length."""
        if not self._samples:
            return rows
        line = np.concatenate([self._waiting, rows], axis=1)
        self._waiting = line[:, rows.shape[1] :].copy()  # not a view: it would keep the long line alive
        return line[:, : rows.shape[1]]
