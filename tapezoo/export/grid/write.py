"""Sampled points as the files of a grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tapezoo.bundle import StateTensor
from tapezoo.bundle.grid.index import GRAPH, GridAxis, GridIndex, GridPoint, point_sha256
from tapezoo.bundle.grid.tensors import point_of, write_tensors
from tapezoo.export.grid.graph import join_graphs
from tapezoo.export.grid.sample import Sample


def write_grid(
    root: Path, axes: Sequence[GridAxis], held: Mapping[str, float], rule: str, samples: Sequence[Sample]
) -> GridIndex:
    """Writes graph and tensors below `root`, over what is there; the index says nothing measured yet.

    Args:
        root: The bundle's folder.
        axes: Of the grid.
        held: Controls that are no axis, in their unit.
        rule: See `GridIndex`.
        samples: Of all points, in their order.

    Raises:
        GridError: The points do not share a graph.
    """
    graph = join_graphs([sample.graph for sample in samples])
    names = list(samples[0].rest)
    rest = {name: np.stack([sample.rest[name] for sample in samples]) for name in names}
    tensors = {f"weight/{name}": stacked for name, stacked in graph.weights.items()}
    tensors |= {f"rest/{name}": stacked for name, stacked in rest.items()}
    write_tensors(root, tensors)
    (root / GRAPH).write_bytes(graph.model.SerializeToString(deterministic=True))
    shape = [len(axis.positions) for axis in axes]
    points = [
        GridPoint(
            index=tuple(map(int, index)),
            sha256=point_sha256(point_of(tensors, number)),
            max_abs_error=0.0,
            settle_samples=samples[number].settle_samples,
        )
        for number, index in enumerate(np.ndindex(*shape))
    ]
    return GridIndex(
        kind="sampled",
        rule=rule,
        axes=tuple(axes),
        held=dict(held),
        state=tuple(StateTensor(name, rest[name].shape[1:], str(rest[name].dtype)) for name in names),
        weights=tuple(graph.weights),
        points=tuple(points),
        preroll_samples=0,
        crossfade_samples=0,
        error={},
        cost={},
        size_bytes=sum(array[0].nbytes for array in tensors.values()),
    )
