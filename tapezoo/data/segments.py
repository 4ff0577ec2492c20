"""Rows for the loaders: random segments for training, whole regions for the rest."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, Sampler

from tapezoo.batch import Batch
from tapezoo.data.cache import Store, StoredRow
from tapezoo.data.settings import Setting, setting_of
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

    @property
    def setting(self) -> Setting:
        """Of the controls."""
        return setting_of(self.row.controls, self.row.idle)


def regions_of(
    store: Store, split: Split, sample_rate: int, held_out: Collection[Setting] = frozenset()
) -> list[Region]:
    """Every row's part in `split`, in the order of the rows; named by row, split and time.

    Rows at the settings `held_out` have a part in the test split only, and there the one they have anyway, so
    that neither their programme nor their setting is heard in training.
    """
    found = []
    for row in store.rows:
        kept = split == "test" or setting_of(row.controls, row.idle) not in held_out
        if kept and split in row.regions:
            start, stop = row.regions[split]
            name = f"{row.name} [{split} {start / sample_rate:.2f}-{stop / sample_rate:.2f} s]"
            found.append(Region(name, row, start, stop))
    return found


def segment_starts(
    lengths: Sequence[int], row_samples: int, count: int, seed: int | Sequence[int], epoch: int
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
    rng = np.random.default_rng([*np.atleast_1d(seed), epoch])
    ends = np.cumsum(lengths)
    position = (np.arange(count) + rng.random(count)) / count * ends[-1]
    region = np.minimum(np.searchsorted(ends, position, side="right"), len(ends) - 1)
    length = np.asarray(lengths)[region]
    share = (position - (ends[region] - length)) / length  # 0..1 within the region
    start = np.minimum((share * (length - row_samples + 1)).astype(np.int64), length - row_samples)
    order = rng.permutation(count)
    return region[order].astype(np.int64), start[order]


class Chosen(NamedTuple):
    """The rows of one training batch."""

    regions: NDArray[np.int64]  # (rows,) index of the region
    starts: NDArray[np.int64]  # (rows,) first sample in it
    knobs: NDArray[np.float32]  # (num_controls,) where idle controls stand in this batch, 0..1


class SegmentSampler(Sampler[Chosen]):
    """Yields whole batches. Lightning calls `set_epoch` before each epoch.

    Every group of regions has the same share of every batch, up to one row, however long its audio is; within
    a group segments are spread as `segment_starts` says.

    Args:
        lengths: Of the training regions, in samples.
        groups: Of each region: one number per control setting, from 0.
        num_controls: How many idle positions to draw for each batch.
        burn_in_samples: Put before each segment.
        segment_samples: Scored samples of a row.
        batch_size: Rows of every batch; all batches are full.
        batches_per_epoch: None: as many as cover the audio once.
        seed: Of the run.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        groups: Sequence[int],
        num_controls: int,
        burn_in_samples: int,
        segment_samples: int,
        batch_size: int,
        batches_per_epoch: int | None,
        seed: int,
    ) -> None:
        self.lengths = np.asarray(lengths)
        self.members = [np.flatnonzero(np.asarray(groups) == group) for group in range(max(groups) + 1)]
        self.num_controls = num_controls
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

    def __iter__(self) -> Iterator[Chosen]:
        count = self.batches * self.batch_size
        region, start = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
        # groups take turns, so that any batch has the same share of each
        turn = np.arange(count) % len(self.members)
        for group, members in enumerate(self.members):
            mine = np.flatnonzero(turn == group)
            if mine.size:
                seed = self.seed if group == 0 else [self.seed, group]
                own, first = segment_starts(
                    self.lengths[members].tolist(), self.row_samples, mine.size, seed, self.epoch
                )
                region[mine], start[mine] = members[own], first
        random = np.random.default_rng([self.seed, self.epoch, 1])
        for first_row in range(0, count, self.batch_size):
            chosen = slice(first_row, first_row + self.batch_size)
            knobs = random.random(self.num_controls).astype(np.float32)
            yield Chosen(region[chosen], start[chosen], knobs)


class Segments(Dataset[Batch]):
    """Batches of training segments, gathered from the memory map.

    Args:
        store: The prepared audio.
        regions: The training regions.
        row_samples: Burn-in and segment.
        scales: Factor of each region's rows in the loss; None: 1.
    """

    def __init__(
        self, store: Store, regions: Sequence[Region], row_samples: int, scales: NDArray[np.float32] | None
    ) -> None:
        # every possible row as a view; indexing it copies exactly the rows asked for
        self._windows = np.lib.stride_tricks.sliding_window_view(store.samples, row_samples)
        self._names = [region.name for region in regions]
        self._inputs = np.array([region.row.offset + region.start for region in regions])
        self._targets = self._inputs + np.array([region.row.length for region in regions])
        self._controls = controls_tensor([region.row for region in regions])
        self._idle = torch.zeros_like(self._controls, dtype=torch.bool)
        for number, region in enumerate(regions):
            self._idle[number, list(region.row.idle)] = True
        self._scales = None if scales is None else torch.from_numpy(scales)
        self._row_samples = row_samples

    def __getitem__(self, chosen: Chosen) -> Batch:
        """The rows of one batch, as `SegmentSampler` chose them."""
        region, start, knobs = chosen
        rows = torch.from_numpy(region)
        controls = torch.where(self._idle[rows], torch.from_numpy(knobs), self._controls[rows])
        return Batch(
            input=torch.from_numpy(self._windows[self._inputs[region] + start]).unsqueeze(1),
            target=torch.from_numpy(self._windows[self._targets[region] + start]).unsqueeze(1),
            controls=controls,
            valid_samples=torch.full((len(region),), self._row_samples, dtype=torch.int64),
            names=[self._names[index] for index in region],
            scale=None if self._scales is None else self._scales[rows],
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


def setting_numbers(regions: Sequence[Region]) -> list[int]:
    """Of each region the number of its control setting, in the order of their first appearance."""
    numbers: dict[Setting, int] = {}
    return [numbers.setdefault(region.setting, len(numbers)) for region in regions]
