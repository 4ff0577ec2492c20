"""The tensors of a grid's points in memory, and mixes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapezoo.bundle import StateArrays
from tapezoo.bundle.grid.play import mix_points, split_point
from tapezoo.bundle.grid.tensors import Tensors

Mix = Mapping[int, float]  # number of a point -> share; the sum is 1


class GridWeights:
    """Weights and rest of every point.

    Args:
        tensors: As `check_grid` read them.
    """

    def __init__(self, tensors: Tensors) -> None:
        self._weights, self._rest = split_point(tensors)

    def weights(self, mix: Mix) -> dict[str, NDArray[Any]]:
        """Weights of one point, or of a mix of several, by name; not to be written to."""
        return _at(self._weights, mix)

    def rest(self, mix: Mix, channels: int) -> StateArrays:
        """The state at rest, (channels, ...), of one point, or of a mix of several."""
        return {
            name: np.repeat(value[np.newaxis], channels, axis=0)
            for name, value in _at(self._rest, mix).items()
        }


def mix_states(states: Sequence[tuple[StateArrays, float]]) -> StateArrays:
    """A mix of states that share what they mean, with shares that add up to 1."""
    stacked = {name: np.stack([state[name] for state, _ in states]) for name in states[0][0]}
    return mix_points(stacked, {number: share for number, (_, share) in enumerate(states)})


def _at(tensors: Mapping[str, NDArray[Any]], mix: Mix) -> dict[str, NDArray[Any]]:
    if len(mix) == 1:
        [point] = mix
        return {name: tensor[point] for name, tensor in tensors.items()}
    return mix_points(dict(tensors), mix)
