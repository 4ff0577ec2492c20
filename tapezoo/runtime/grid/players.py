"""How a grid is played between its points: one net with mixed weights, or all corners side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tapezoo.bundle import StateArrays
from tapezoo.bundle.grid.index import GridIndex
from tapezoo.bundle.grid.play import grid_step
from tapezoo.bundle.play import Audio, settle
from tapezoo.runtime.glide import Positions
from tapezoo.runtime.grid.cells import Shares, distance, shares
from tapezoo.runtime.grid.glide import Stretch
from tapezoo.runtime.grid.graph import Feeds, GridGraph
from tapezoo.runtime.grid.onsets import PointOnset
from tapezoo.runtime.grid.weights import GridWeights, Mix, mix_states


class Player(Protocol):
    """One interpolation rule."""

    def start(self, channels: int, at: Positions) -> None:
        """At rest at these positions."""

    def play(self, rows: Audio, stretch: Stretch) -> Audio:
        """The part of a block that lies in one stretch."""


class WeightsPlayer:
    """Rule "weights": one net, whose weights are the multilinear mix of the corners' weights.

    Weights change only from stretch to stretch. While the controls move, the net runs twice over each stretch, with
    the weights at its begin and at its end, and its output goes from the one to the other in a straight line; its
    state continues from the second run. Weights that jumped at every stretch would cause audible images of the signal
    at multiples of the stretches' rate.

    Args:
        index: Of the grid.
        graph: Of the grid.
        weights: Of the grid.
        settle_block_samples: How much silence is played at once; whole hops.
    """

    def __init__(
        self, index: GridIndex, graph: GridGraph, weights: GridWeights, settle_block_samples: int
    ) -> None:
        self._index, self._graph, self._weights = index, graph, weights
        self._settle_block = settle_block_samples
        self._known: dict[bytes, Feeds] = {}  # of the last stretch's ends
        self._state: StateArrays = {}
        self._ahead: tuple[StateArrays, float] | None = None  # of the second run, and its share in the output

    def start(self, channels: int, at: Positions) -> None:
        """See `Player.start`: at a point its stored rest; elsewhere the mix of rests, settled on silence."""
        mix = _mix(shares(self._index.axes, at[np.newaxis]))
        state, weights = self._weights.rest(mix, 1), self._weights.weights(mix)
        if len(mix) > 1:
            step, none = grid_step(self._graph, weights), np.zeros((1, 0), np.float32)
            settle_samples = max(self._index.points[point].settle_samples for point in mix)
            state = settle(step, none, state, settle_samples, self._settle_block)
        self._state = {name: np.repeat(value, channels, axis=0) for name, value in state.items()}
        self._known, self._ahead = {at.tobytes(): self._graph.feeds(weights)}, None

    def play(self, rows: Audio, stretch: Stretch) -> Audio:
        """See `Player.play`."""
        if stretch.done == 0:
            self._begin(stretch)
        end = self._known[stretch.end.tobytes()]
        if not stretch.samples:
            output, self._state = self._graph.run(rows, self._state, end)
            return output
        ahead = self._ahead[0] if self._ahead else self._state
        now, self._state = self._graph.run(rows, self._state, self._known[stretch.begin.tobytes()])
        then, ahead = self._graph.run(rows, ahead, end)
        heard = np.arange(stretch.done + 1, stretch.done + rows.shape[1] + 1) / stretch.samples
        self._ahead = ahead, float(heard[-1])
        return np.asarray(now + (then - now) * heard.astype(np.float32))

    def _begin(self, stretch: Stretch) -> None:
        if self._ahead:
            ahead, share = self._ahead
            # under 1 only where a new target came in mid-stretch
            self._state = ahead if share == 1 else mix_states([(self._state, 1 - share), (ahead, share)])
            self._ahead = None
        ends = {at.tobytes(): at for at in (stretch.begin, stretch.end)}
        self._known = {
            key: self._known[key] if key in self._known else self._feeds(at) for key, at in ends.items()
        }

    def _feeds(self, at: Positions) -> Feeds:
        return self._graph.feeds(self._weights.weights(_mix(shares(self._index.axes, at[np.newaxis]))))


@dataclass
class Voice:
    """One running point."""

    feeds: Feeds
    state: StateArrays
    donor: int | None
    """The point that plays in its place while it fades in."""
    age_samples: int = 0
    """Samples since it started."""


class OutputsPlayer:
    """Rule "outputs": the corners of the cell run side by side, each with its state, and are mixed sample by sample.

    A point comes and goes at a share of 0. Besides, one that came in fades in over `crossfade_samples`, for controls
    that go through its cell as fast as that: what its share lacks goes to the nearest point that ran before, which
    runs on for so long. The gains add up to 1 at every sample.

    Args:
        index: Of the grid.
        graph: Of the grid.
        weights: Of the grid.
        onset: What state a point comes in with.
    """

    def __init__(self, index: GridIndex, graph: GridGraph, weights: GridWeights, onset: PointOnset) -> None:
        self._index, self._graph, self._weights, self._onset = index, graph, weights, onset
        self._voices: dict[int, Voice] = {}  # a donor comes before the points it stands in for
        self._shares: Shares = {}
        self._known = b""  # the stretch that the shares are of

    def start(self, channels: int, at: Positions) -> None:
        """See `Player.start`: every corner at its own rest."""
        self._onset.start(channels)
        self._shares, self._known = shares(self._index.axes, at[np.newaxis]), b""
        self._voices = {
            point: Voice(self._feeds(point), self._weights.rest({point: 1.0}, channels), None)
            for point in self._shares
        }

    def play(self, rows: Audio, stretch: Stretch) -> Audio:
        """See `Player.play`."""
        if stretch.done == 0:
            self._begin(stretch)
        if len(self._voices) == 1:
            [voice] = self._voices.values()
            self._onset.hear(rows)
            return self._play_voice(voice, rows)
        gains = self._gains(stretch, rows.shape[1])
        output = np.zeros(rows.shape)
        for point, voice in self._voices.items():
            output += self._play_voice(voice, rows) * gains[point]
        self._onset.hear(rows)
        return output.astype(np.float32)

    def _play_voice(self, voice: Voice, rows: Audio) -> Audio:
        heard, voice.state = self._graph.run(rows, voice.state, voice.feeds)
        voice.age_samples += rows.shape[1]
        return heard

    def _begin(self, stretch: Stretch) -> None:
        self._leave()  # before any point starts: which points run must not depend on where blocks end
        key = stretch.begin.tobytes() + stretch.end.tobytes()
        if key == self._known:
            return
        self._shares, self._known = shares(self._index.axes, stretch.path()), key
        running = {point: voice.state for point, voice in self._voices.items()}
        for point in self._shares:
            if point not in running:
                feeds = self._feeds(point)
                donor = min(running, key=lambda other: distance(self._index.axes, point, other))
                state = self._onset.point_onset(point, feeds, running[donor])
                self._voices[point] = Voice(feeds, state, donor)
        self._leave()

    def _leave(self) -> None:
        kept = set(self._shares)
        for point, voice in reversed(self._voices.items()):
            if (
                point in kept
                and voice.donor is not None
                and voice.age_samples < self._index.crossfade_samples
            ):
                kept.add(voice.donor)
        self._voices = {point: voice for point, voice in self._voices.items() if point in kept}

    def _gains(self, stretch: Stretch, samples: int) -> Shares:
        nothing = np.zeros(1)
        gains = {
            point: self._shares[point][stretch.part] if point in self._shares else nothing
            for point in self._voices
        }
        fade_samples = self._index.crossfade_samples
        for point, voice in reversed(self._voices.items()):
            if voice.donor is None or voice.age_samples >= fade_samples:
                continue
            fade = np.minimum(
                np.arange(voice.age_samples + 1, voice.age_samples + samples + 1) / fade_samples, 1
            )
            gains[voice.donor] = gains[voice.donor] + gains[point] * (1 - fade)
            gains[point] = gains[point] * fade
        return gains

    def _feeds(self, point: int) -> Feeds:
        return self._graph.feeds(self._weights.weights({point: 1.0}))


def _mix(found: Shares) -> Mix:
    return {point: float(share[0]) for point, share in found.items()}
