"""Points of one conditioned net: folded, exported, and listened to beside the net they were folded from."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor

from tapezoo.blocks import allowed_block, blocks
from tapezoo.bundle.grid.index import GridAxis
from tapezoo.bundle.play import Audio, StateArrays
from tapezoo.controls import Control
from tapezoo.export.grid.graph import SplitGraph, split_graph
from tapezoo.export.targets.onnx import OnnxTarget
from tapezoo.export.targets.target import graph_of
from tapezoo.net import Net, State
from tapezoo.play import play, settle

Place = tuple[float, ...]  # a position 0..1 on each axis
ROWS = 16  # settings that play as one batch: that hardly slows a recurrent net
BLOCK_SAMPLES = 4096  # bounds the memory of a convolution's inner signals
EXCERPT_SAMPLES = 1 << 15  # 0.74 s at 44.1 kHz
PIECES = 8  # the programme is one second each of different kinds


@dataclass(frozen=True)
class Sample:
    """One point.

    Args:
        place: Where it is.
        folded: The net without controls, in evaluation mode, at rest.
        graph: Its export.
        rest: Its state at rest, without the batch dimension, in the graph's order.
        settle_samples: Of silence, from the rest state at the controls' defaults until it stands still.
        heard: What the conditioned net held there makes of the excerpt, (samples,).
    """

    place: Place
    folded: Net
    graph: SplitGraph
    rest: StateArrays
    settle_samples: int
    heard: Audio


@dataclass(frozen=True)
class Rested:
    """A conditioned net at one place.

    Args:
        place: Where.
        controls: Positions of all of them, (num_controls,).
        state: At rest there, (1, ...).
        settle_samples: Of silence, from the net's stored rest; as long as the slowest place beside it took.
        heard: What it makes of the excerpt, (samples,).
    """

    place: Place
    controls: Tensor
    state: State
    settle_samples: int
    heard: Audio


@dataclass(frozen=True)
class Held:
    """A conditioned net held at places of a grid.

    Args:
        net: In evaluation mode on the CPU, at rest at its controls' defaults.
        controls: Its controls.
        axes: Names of those that are axes, in their order.
        values: Of the others, in their unit.
        excerpt: What it plays, (samples,), whole hops.
    """

    net: Net
    controls: tuple[Control, ...]
    axes: tuple[str, ...]
    values: Mapping[str, float]
    excerpt: Audio

    def vectors(self, places: Sequence[Place]) -> Tensor:
        """Positions of all controls, (places, num_controls)."""
        rows = []
        for place in places:
            positions = dict(zip(self.axes, place, strict=True))
            rows.append(
                [
                    positions[c.name] if c.name in positions else c.normalize(self.values[c.name])
                    for c in self.controls
                ]
            )
        return torch.tensor(rows, dtype=torch.float32)

    def settle_at(self, places: Sequence[Place]) -> Iterator[Rested]:
        """The net at rest at each place, and what it plays there."""
        for some in blocks(len(places), ROWS):
            vectors = self.vectors(places[some])
            state, samples = settle(self.net, vectors)
            output = play_rows(self.net, self.excerpt, vectors, state)
            for row, place in enumerate(places[some]):
                own = {name: value[row : row + 1] for name, value in state.items()}
                yield Rested(place, vectors[row], own, samples, output[row])


def sample_places(held: Held, places: Sequence[Place], metadata: dict[str, str]) -> Iterator[Sample]:
    """Folds and exports the net at each place.

    Args:
        held: The net.
        places: Where.
        metadata: Of the graph.

    Raises:
        UnfoldableError: See `Net.folded`.
    """
    for found in held.settle_at(places):
        folded = held.net.folded(found.controls).eval().requires_grad_(False)
        names = list(folded.rest_state(1))
        # points share their state with the net they come from, so they rest where it does
        folded.store_rest({name: found.state[name] for name in names})
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "point.onnx"
            OnnxTarget().write(graph_of(folded, metadata), path)
            graph = split_graph(onnx.load(path))
        rest = {name: found.state[name][0].numpy().copy() for name in names}
        yield Sample(found.place, folded, graph, rest, found.settle_samples, found.heard)


@torch.no_grad()
def play_rows(
    net: Net,
    audio: Audio,
    controls: Tensor,
    state: Mapping[str, Tensor],
) -> NDArray[np.float32]:
    """Plays the same audio at several settings.

    Shape:
        audio: (samples,), whole hops; controls: (rows, num_controls); state: (rows, ...); result: (rows, samples).
    """
    signal = torch.from_numpy(np.ascontiguousarray(audio)).expand(len(controls), 1, -1)
    block = allowed_block(BLOCK_SAMPLES, net.hop_samples, net.max_block_samples)
    result: NDArray[np.float32] = play(net, signal, controls, dict(state), block)[:, 0].numpy()
    return result


def excerpt_of(programme: Audio, hop_samples: int, samples: int = EXCERPT_SAMPLES) -> Audio:
    """Equal pieces from all over (samples,) of programme, one after the other: what every point plays."""
    piece = samples // PIECES // hop_samples * hop_samples
    if not piece or len(programme) <= samples:
        return programme[: len(programme) // hop_samples * hop_samples]
    starts = np.linspace(0, len(programme) - piece, PIECES).astype(int)
    return np.concatenate([programme[start : start + piece] for start in starts])


def places_of(axes: Sequence[GridAxis]) -> list[Place]:
    """All points of a grid, the last axis fastest."""
    shape = [len(axis.positions) for axis in axes]
    return [
        tuple(axis.positions[step] for axis, step in zip(axes, found, strict=True))
        for found in np.ndindex(*shape)
    ]
