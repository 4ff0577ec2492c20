"""A high pass of one pole behind a net: removes a constant offset."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tapezoo.bundle.play import Audio

PIECE_SAMPLES = 64


class DCBlocker:
    """`y[n] = R y[n-1] + (1 + R) / 2 (x[n] - x[n-1])`: gain 0 at 0 Hz, -3 dB at `cutoff_hz`, 1 at half the rate.

    `R = (1 - t) / (1 + t)`, `t = tan(pi cutoff / rate)`: the analog high pass under the bilinear transform. Pieces of
    64 samples are solved at once as a product with the powers of R, in float64, so that the result does not depend
    on where blocks begin.

    Args:
        cutoff_hz: Over 0, under a quarter of the rate.
        sample_rate: Hz.
    """

    def __init__(self, cutoff_hz: float, sample_rate: int) -> None:
        if not 0 < cutoff_hz < sample_rate / 4:
            raise ValueError(
                f"dc_blocker_hz is {cutoff_hz}; over 0 and under {sample_rate / 4} (a quarter of the rate)"
            )
        t = math.tan(math.pi * cutoff_hz / sample_rate)
        pole = (1 - t) / (1 + t)
        self.pole = pole
        self._gain = (1 + pole) / 2
        age = np.subtract.outer(np.arange(PIECE_SAMPLES), np.arange(PIECE_SAMPLES))
        self._solution = np.where(age >= 0, pole ** np.maximum(age, 0), 0.0).T.copy()
        self._decay = pole ** np.arange(1, PIECE_SAMPLES + 1)
        self.start(0)

    def start(self, channels: int) -> None:
        """From silence, for so many channels."""
        self._before: NDArray[np.float64] = np.zeros((channels, 1))  # x[n-1]
        self._level: NDArray[np.float64] = np.zeros((channels, 1))  # y[n-1]

    def play(self, rows: Audio) -> Audio:
        """One block.

        Shape:
            rows, result: (channels, samples).
        """
        rises = self._gain * np.diff(rows, axis=1, prepend=self._before)
        self._before = rows[:, -1:].astype(np.float64)
        output = np.empty_like(rows)
        for start in range(0, rows.shape[1], PIECE_SAMPLES):
            piece = rises[:, start : start + PIECE_SAMPLES]
            size = piece.shape[1]
            solved = piece @ self._solution[:size, :size] + self._level * self._decay[:size]
            output[:, start : start + size] = solved
            self._level = np.asarray(solved[:, -1:], np.float64)
        return output
