"""The state with which a point of a grid starts, where the corners of a cell run side by side."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from tapezoo.bundle import StateArrays
from tapezoo.bundle.play import Audio
from tapezoo.runtime.grid.graph import Feeds, GridGraph
from tapezoo.runtime.grid.weights import GridWeights


class PointOnset(Protocol):
    """Gives the state with which a point starts."""

    def start(self, channels: int) -> None:
        """A stream begins, after silence."""

    def hear(self, rows: Audio) -> None:
        """What all points have just played, (channels, samples)."""

    def point_onset(self, point: int, feeds: Feeds, nearest: StateArrays) -> StateArrays:
        """The state of a point that comes in now; `nearest`: that of the nearest point that runs."""


class InheritState:
    """For points of one conditioned net, whose states are compatible: the state of the nearest running point."""

    def start(self, channels: int) -> None:
        """See `PointOnset.start`."""

    def hear(self, rows: Audio) -> None:
        """See `PointOnset.hear`."""

    def point_onset(self, point: int, feeds: Feeds, nearest: StateArrays) -> StateArrays:
        """See `PointOnset.point_onset`."""
        return nearest


class Preroll:
    """For points trained apart, whose states are not compatible: from its rest, a point plays the last input, muted.

    Args:
        graph: Of the grid.
        weights: Of the grid.
        preroll_samples: How much of the input; whole hops.
    """

    def __init__(self, graph: GridGraph, weights: GridWeights, preroll_samples: int) -> None:
        self._graph, self._weights, self._samples = graph, weights, preroll_samples
        self._heard = np.zeros((0, 0), np.float32)
        self._stop = 0

    def start(self, channels: int) -> None:
        """See `PointOnset.start`."""
        # twice as long as needed: it is moved to the front once per preroll, not once per block
        self._heard = np.zeros((channels, 2 * self._samples), np.float32)
        self._stop = self._samples

    def hear(self, rows: Audio) -> None:
        """See `PointOnset.hear`."""
        rows = rows[:, max(0, rows.shape[1] - self._samples) :]
        length = rows.shape[1]
        if self._stop + length > self._heard.shape[1]:
            kept = self._samples - length
            self._heard[:, :kept] = self._heard[:, self._stop - kept : self._stop].copy()
            self._stop = kept
        self._heard[:, self._stop : self._stop + length] = rows
        self._stop += length

    def point_onset(self, point: int, feeds: Feeds, nearest: StateArrays) -> StateArrays:
        """See `PointOnset.point_onset`; takes as long as `preroll_samples` take to be played."""
        state = self._weights.rest({point: 1.0}, len(self._heard))
        if not state or not self._samples:
            return state
        _, state = self._graph.run(self._heard[:, self._stop - self._samples : self._stop], state, feeds)
        return state
