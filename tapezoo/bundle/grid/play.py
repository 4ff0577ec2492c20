"""Playing a grid held at a mix of its points, in any runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tapezoo.bundle.grid.index import GridIndex
from tapezoo.bundle.grid.tensors import Tensors, point_of
from tapezoo.bundle.play import Audio, StateArrays, Step, play, repeat_rows, settle


class GridPlayer(Protocol):
    """A grid's graph in some runtime."""

    def feeds(self, weights: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """Weights by name, of one point or a mix, as `run` takes them."""

    def run(
        self, rows: Audio, state: StateArrays, feeds: Mapping[str, NDArray[Any]]
    ) -> tuple[Audio, StateArrays]:
        """One block: (rows, samples) and its state (rows, ...) -> the same."""


OpenGrid = Callable[[Path, GridIndex], GridPlayer]


def play_mix(
    player: GridPlayer,
    index: GridIndex,
    tensors: Tensors,
    input: Audio,
    mix: Mapping[int, float],
    block_samples: int,
) -> Audio:
    """What a grid plays held at a mix of points, from rest: (samples,) -> (samples,).

    With the rule "weights" rest is where the mixed net comes to on silence from the mix of its points' rests.
    """
    if index.rule == "outputs" or len(mix) == 1:
        outputs = [
            np.float32(share) * _play_tensors(player, point_of(tensors, point), input, 0, block_samples)
            for point, share in mix.items()
        ]
        total: Audio = np.sum(outputs, axis=0, dtype=np.float32)
        return total
    settle_samples = max(index.points[point].settle_samples for point in mix)
    return _play_tensors(player, mix_points(tensors, mix), input, settle_samples, block_samples)


def mix_points(tensors: Tensors, mix: Mapping[int, float]) -> Tensors:
    """Tensors between points; of whole numbers those of the point with the largest share."""
    largest = max(mix, key=lambda point: mix[point])
    return {
        name: sum(
            (array[point] * array.dtype.type(share) for point, share in mix.items()), np.zeros_like(array[0])
        )
        if array.dtype.kind == "f"
        else array[largest]
        for name, array in tensors.items()
    }


def grid_step(player: GridPlayer, weights: Mapping[str, NDArray[Any]]) -> Step:
    """The graph with these weights as a step without controls."""
    feeds = player.feeds(weights)

    def step(input: Audio, controls: Audio, state: StateArrays) -> tuple[Audio, StateArrays]:
        output, after = player.run(input[:, 0], state, feeds)
        return output[:, np.newaxis], after

    return step


def split_point(tensors: Tensors) -> tuple[Tensors, StateArrays]:
    """One point's weights and its rest state, by name."""
    weights = {n.removeprefix("weight/"): array for n, array in tensors.items() if n.startswith("weight/")}
    rest = {n.removeprefix("rest/"): array for n, array in tensors.items() if n.startswith("rest/")}
    return weights, rest


def _play_tensors(
    player: GridPlayer, tensors: Tensors, input: Audio, settle_samples: int, block_samples: int
) -> Audio:
    weights, rest = split_point(tensors)
    step, none = grid_step(player, weights), np.zeros((1, 0), np.float32)
    state = settle(step, none, repeat_rows(rest, 1), settle_samples, block_samples)
    output, _ = play(step, input[np.newaxis], none[np.newaxis], state, block_samples)
    row: Audio = output[0]
    return row
