"""Rows for the loaders: random segments for training, whole regions for the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, Sampler

from tapezoo.batch import Batch
from tapezoo.data.cache import Store, StoredRow
from tapezoo.data.splits import Split

MAX_ROWS = 16  # of a batch of whole regions: bounds memory
# of a row: recurrent nets pay for the longest row of a batch and hardly for the number of rows
MAX_PADDING = 0.75


@dataclass(frozen=True)
class Region:
    """One split's part of one row."""

    name: str
    row: StoredRow
    start: int
    stop: int

    @property
    def length(self) -> int:
        """In samples."""
        return self.stop - self.start


def regions_of(store: Store, split: Split, sample_rate: int) -> list[Region]:
    """Every row's part in `split`, in the order of the rows; named by row, split and time."""
    found = []
    for row in store.rows:
        if split in row.regions:
            start, stop = row.regions[split]
            name = f"{row.name} [{split} {start / sample_rate:.2f}-{stop / sample_rate:.2f} s]"
            found.append(Region(name, row, start, stop))
    return found


def segment_starts(
    lengths: Sequence[int], row_samples: int, count: int, seed: int, epoch: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where `count` rows of one epoch start: a pure function of its arguments.

    Stratified: the audio is cut into `count` equal strata and one row starts at random in each, so that an
    epoch covers everything about once, at other places than the last; the order is shuffled.

    Args:
        lengths: Of the training regions, in samples, each at least `row_samples`.
        row_samples: Burn-in and segment.
        count: Rows in the epoch.
        seed: Of the run.
        epoch: From 0.

    Returns:
        For every row the index of its region, and its first sample in it.
    """
    rng = np.random.default_rng([seed, epoch])
    ends = np.cumsum(lengths)
    position = (np.arange(count) + rng.random(count)) / count * ends[-1]
    region = np.minimum(np.searchsorted(ends, position, side="right"), len(ends) - 1)
    length = np.asarray(lengths)[region]
    share = (position - (ends[region] - length)) / length  # 0..1 within the region
    start = np.minimum((share * (length - row_samples + 1)).astype(np.int64), length - row_samples)
    order = rng.permutation(count)
    return region[order].astype(np.int64), start[order]


class SegmentSampler(Sampler[tuple[NDArray[np.int64], NDArray[np.int64]]]):
    """Yields whole batches of (region indices, starts). Lightning calls `set_epoch` before each epoch.

    Args:
        lengths: Of the training regions, in samples.
        burn_in_samples: Put before each segment.
        segment_samples: Scored samples of a row.
        batch_size: Rows of every batch; all batches are full.
        batches_per_epoch: None: as many as cover the audio once.
        seed: Of the run.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        burn_in_samples: int,
        segment_samples: int,
        batch_size: int,
        batches_per_epoch: int | None,
        seed: int,
    ) -> None:
        self.lengths = list(lengths)
        self.row_samples = burn_in_samples + segment_samples
        self.batch_size = batch_size
        once = max(1, round(sum(lengths) / segment_samples / batch_size))
        self.batches = batches_per_epoch or once
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Chooses the segments of `epoch`."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        count = self.batches * self.batch_size
        region, start = segment_starts(self.lengths, self.row_samples, count, self.seed, self.epoch)
        for first in range(0, count, self.batch_size):
            chosen = slice(first, first + self.batch_size)
            yield region[chosen], start[chosen]


class Segments(Dataset[Batch]):
    """Batches of training segments, gathered from the memory map.

    Args:
        store: The prepared audio.
        regions: The training regions.
        row_samples: Burn-in and segment.
    """

    def __init__(self, store: Store, regions: Sequence[Region], row_samples: int) -> None:
        # every possible row as a view; indexing it copies exactly the rows asked for
        self._windows = np.lib.stride_tricks.sliding_window_view(store.samples, row_samples)
        self._names = [region.name for region in regions]
        self._inputs = np.array([region.row.offset + region.start for region in regions])
        self._targets = self._inputs + np.array([region.row.length for region in regions])
        self._controls = controls_tensor([region.row for region in regions])
        self._row_samples = row_samples

    def __getitem__(self, chosen: tuple[NDArray[np.int64], NDArray[np.int64]]) -> Batch:
        """The rows of one batch, as `SegmentSampler` chose them."""
        region, start = chosen
        return Batch(
            input=torch.from_numpy(self._windows[self._inputs[region] + start]).unsqueeze(1),
            target=torch.from_numpy(self._windows[self._targets[region] + start]).unsqueeze(1),
            controls=self._controls[torch.from_numpy(region)],
            valid_samples=torch.full((len(region),), self._row_samples, dtype=torch.int64),
            names=[self._names[index] for index in region],
        )


class WholeRegions(Dataset[Batch]):
    """Batches of whole regions, zero-padded to the longest of the batch.

    Args:
        store: The prepared audio.
        regions: The regions of a split.
    """

    def __init__(self, store: Store, regions: Sequence[Region]) -> None:
        self._store = store
        self._groups = grouped(regions)

    def __len__(self) -> int:
        return len(self._groups)

    def __getitem__(self, index: int) -> Batch:
        """The batch of this index."""
        group = self._groups[index]
        input = torch.zeros(len(group), 1, group[0].length)
        target = torch.zeros_like(input)
        for row, region in enumerate(group):
            part = region.start, region.stop
            input[row, 0, : region.length] = torch.from_numpy(self._store.input(region.row, *part).copy())
            target[row, 0, : region.length] = torch.from_numpy(self._store.target(region.row, *part).copy())
        return Batch(
            input=input,
            target=target,
            controls=controls_tensor([region.row for region in group]),
            valid_samples=torch.tensor([region.length for region in group]),
            names=[region.name for region in group],
        )


def grouped(regions: Sequence[Region]) -> list[list[Region]]:
    """Regions of like length together, longest first: at most 16, at most three quarters of a row padding."""
    groups: list[list[Region]] = []
    for region in sorted(regions, key=lambda region: -region.length):
        full = not groups or len(groups[-1]) == MAX_ROWS
        if full or region.length < (1 - MAX_PADDING) * groups[-1][0].length:
            groups.append([])
        groups[-1].append(region)
    return groups


def controls_tensor(rows: Sequence[StoredRow]) -> torch.Tensor:
    """Net positions of the rows, (rows, num_controls); num_controls may be 0."""
    return torch.tensor([list(row.controls) for row in rows], dtype=torch.float32).reshape(len(rows), -1)
