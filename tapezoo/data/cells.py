"""The cells of a grid of controls: where they stand, in which order they are trained, and batches of whole cells."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from tapezoo.data.segments import Chosen


def cell_positions(axes: Mapping[str, int]) -> NDArray[np.float32]:
    """Net positions of the cells in C order, the last axis fastest; in single precision, as nets get them.

    Args:
        axes: Number of evenly spaced positions 0..1 of each control, 2 or more.

    Shape:
        (cells, axes).
    """
    grid = np.meshgrid(*(np.linspace(0.0, 1.0, count) for count in axes.values()), indexing="ij")
    return np.stack([axis.ravel() for axis in grid], axis=1).astype(np.float32)


def wave_order(shape: Sequence[int], cells: range | None = None, seed: int = 0) -> NDArray[np.int64]:
    """Cells from the middle of a grid outwards, ordered by the number of steps from the middle.

    So every cell of a whole grid, or of a slab of one, but the first stands next to one that came before it.

    Args:
        shape: Of the grid.
        cells: A part of it, counted in C order; None: all of it.
        seed: Seed of the order among cells that are equally far from the middle, at least 0.

    Returns:
        Numbers of the cells of the grid in C order, (cells,).
    """
    every = np.arange(math.prod(shape)) if cells is None else np.asarray(cells)
    where = np.stack(np.unravel_index(every, tuple(shape)), axis=1)
    centre = (where.min(axis=0) + where.max(axis=0)) // 2
    middle = where[np.abs(where - centre).sum(axis=1).argmin()]  # a part of a grid may be hollow
    steps = np.abs(where - middle).sum(axis=1)
    ties = np.random.default_rng(seed).permutation(len(every))
    return every[np.lexsort((ties, steps))]


class CellSampler(Sampler[Chosen]):
    """Yields batches of whole cells, the rows of each side by side; the same ones in every epoch.

    Args:
        members: Of each cell the numbers of its regions, in the order of the cells; (cells, rows).
        cells_per_batch: 1 or more; the last batch may have fewer.
        num_controls: Of the data set.
    """

    def __init__(self, members: NDArray[np.int64], cells_per_batch: int, num_controls: int) -> None:
        self.members = members
        self.cells_per_batch = cells_per_batch
        self.num_controls = num_controls

    def __len__(self) -> int:
        return math.ceil(len(self.members) / self.cells_per_batch)

    def __iter__(self) -> Iterator[Chosen]:
        idle = np.zeros(self.num_controls, dtype=np.float32)  # none is, in a cell
        for first in range(0, len(self.members), self.cells_per_batch):
            regions = self.members[first : first + self.cells_per_batch].ravel()
            yield Chosen(regions, np.zeros_like(regions), idle)
