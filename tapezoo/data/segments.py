"""Rows for the loaders: random segments for training, whole regions for the rest."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, Sampler

from tapezoo.data.batch import LEAST_DELAY_SAMPLES, Batch
from tapezoo.data.cache import DELAY, INPUT, STEADY_INPUT, TARGET, Store, StoredRow
from tapezoo.data.settings import Setting, setting_of
from tapezoo.data.silence import Pieces
from tapezoo.data.splits import Split
from tapezoo.data.streams import LARGE_SAMPLES, release

MAX_ROWS = 16  # of a batch of whole regions, which holds up to LARGE_SAMPLES: bounds memory
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
        return _setting(self.row)


def regions_of(
    store: Store, split: Split, sample_rate: int, held_out: Collection[Setting] = frozenset()
) -> list[Region]:
    """Every row's part in `split`, in the order of the rows; named by row, split and time.

    Rows at the settings `held_out` have a part in the test split only, the same part as otherwise, so that
    training includes neither their programme material nor their setting.
    """
    found = []
    for row in store.rows:
        kept = split == "test" or not held_out or _setting(row) not in held_out
        if kept and split in row.regions:
            start, stop = row.regions[split]
            name = f"{row.name} [{split} {start / sample_rate:.2f}-{stop / sample_rate:.2f} s]"
            found.append(Region(name, row, start, stop))
    return found


def _setting(row: StoredRow) -> Setting:
    return setting_of(row.controls, {*row.idle, *row.spread})


def segment_starts(
    pieces: Pieces, count: int, seed: int | Sequence[int], epoch: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where `count` rows of one epoch start: a pure function of its arguments.

    Stratified: the audio is cut into `count` equal strata and one row starts at random in each, so that an
    epoch covers everything about once, at other places than the last; the order is shuffled.

    Args:
        pieces: Where rows may start.
        count: Rows in the epoch.
        seed: Of the run.
        epoch: From 0.

    Returns:
        For every row the index of its region, and its first sample in it.
    """
    rng = np.random.default_rng([*np.atleast_1d(seed), epoch])
    ends = np.cumsum(pieces.weight)
    position = (np.arange(count) + rng.random(count)) / count * ends[-1]
    piece = np.minimum(np.searchsorted(ends, position, side="right"), len(ends) - 1)
    weight, starts = pieces.weight[piece], pieces.starts[piece]
    share = np.maximum((position - (ends[piece] - weight)) / weight, 0.0)  # 0..1 within the piece
    start = pieces.first[piece] + np.minimum((share * starts).astype(np.int64), starts - 1)
    order = rng.permutation(count)
    return pieces.region[piece][order].astype(np.int64), start[order]


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
        pieces: Where rows may start, of each group: one per control setting. Regions are counted within a group.
        members: Of each group, the numbers of its regions.
        num_controls: How many idle positions to draw for each batch.
        segment_samples: Scored samples of a row.
        batch_size: Rows of every batch; all batches are full.
        batches_per_epoch: None: as many as cover the audio once.
        seed: Of the run.
    """

    def __init__(
        self,
        pieces: Sequence[Pieces],
        members: Sequence[NDArray[np.int64]],
        num_controls: int,
        segment_samples: int,
        batch_size: int,
        batches_per_epoch: int | None,
        seed: int,
    ) -> None:
        self.pieces = pieces
        self.members = members
        self.num_controls = num_controls
        self.batch_size = batch_size
        self.batches = batches_per_epoch or batches_once(pieces, segment_samples, batch_size)
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
        for group, (members, pieces) in enumerate(zip(self.members, self.pieces, strict=True)):
            mine = np.flatnonzero(turn == group)
            if mine.size:
                seed = self.seed if group == 0 else [self.seed, group]
                own, first = segment_starts(pieces, mine.size, seed, self.epoch)
                region[mine], start[mine] = members[own], first
        random = np.random.default_rng([self.seed, self.epoch, 1])
        for first_row in range(0, count, self.batch_size):
            chosen = slice(first_row, first_row + self.batch_size)
            knobs = random.random(self.num_controls).astype(np.float32)
            yield Chosen(region[chosen], start[chosen], knobs)


def batches_once(pieces: Sequence[Pieces], segment_samples: int, batch_size: int) -> int:
    """As many batches as cover the audio once."""
    samples = sum(float(piece.weight.sum()) for piece in pieces)
    return max(1, round(samples / segment_samples / batch_size))


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
        self._samples = store.samples
        self._windows = np.lib.stride_tricks.sliding_window_view(store.samples, row_samples)
        self._names = [region.name for region in regions]
        self._starts = np.array([region.start for region in regions])
        self._offsets = np.array([region.row.offset for region in regions])
        self._lengths = np.array([region.row.length for region in regions])
        self._gives_delay = any(region.row.gives_delay for region in regions)
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
        place = self._starts[region] + start
        target = self._gather(region, TARGET, place)
        delay = None
        if self._gives_delay:
            given = self._gather(region, DELAY, place)
            earlier = np.array([steps_back(own, at) for own, at in zip(given, place.tolist(), strict=True)])
            delay = torch.from_numpy(given - earlier[:, None].astype(np.float32)).unsqueeze(1)
            input = self._gather(region, STEADY_INPUT, place - earlier)
        else:
            input = self._gather(region, INPUT, place)
        if self._samples.size > LARGE_SAMPLES:
            release(self._samples)
        return Batch(
            input=torch.from_numpy(input).unsqueeze(1),
            target=torch.from_numpy(target).unsqueeze(1),
            controls=controls,
            valid_samples=torch.full((len(region),), self._row_samples, dtype=torch.int64),
            names=[self._names[index] for index in region],
            scale=None if self._scales is None else self._scales[rows],
            delay=delay,
        )

    def _gather(
        self, region: NDArray[np.int64], signal: int, place: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """The rows of a signal that begin at `place` of their recording, (rows, row_samples)."""
        rows: NDArray[np.float32] = self._windows[
            self._offsets[region] + signal * self._lengths[region] + place
        ]
        return rows


class WholeRegions(Dataset[Batch]):
    """Batches of whole regions, zero-padded to the longest of the batch.

    Args:
        store: The prepared audio.
        regions: The regions of a split.
        most_rows: Of a batch.
    """

    def __init__(self, store: Store, regions: Sequence[Region], most_rows: int = MAX_ROWS) -> None:
        self._store = store
        self._groups = group_by_length(regions, most_rows)
        self._gives_delay = any(region.row.gives_delay for region in regions)
        self._wanders = not self._gives_delay and any(region.row.wanders for region in regions)

    def __len__(self) -> int:
        return len(self._groups)

    def __getitem__(self, index: int) -> Batch:
        """The batch of this index."""
        group = self._groups[index]
        input = torch.zeros(len(group), 1, group[0].length)
        target = torch.zeros_like(input)
        delay = torch.full_like(input, LEAST_DELAY_SAMPLES) if self._gives_delay else None
        # of every batch or of none, so that the two figures of a test are about the same clips
        steady_input = torch.zeros_like(input) if self._wanders else None
        for row, region in enumerate(group):
            part, own = (region.start, region.stop), np.s_[row, 0, : region.length]
            target[own] = torch.from_numpy(self._store.target(region.row, *part).copy())
            if delay is not None:
                given = self._store.delay(region.row, *part).copy()
                earlier = steps_back(given, region.start)
                delay[own] = torch.from_numpy(given - np.float32(earlier))
                shifted = region.start - earlier, region.stop - earlier
                input[own] = torch.from_numpy(self._store.steady_input(region.row, *shifted).copy())
            else:
                input[own] = torch.from_numpy(self._store.input(region.row, *part).copy())
            if steady_input is not None:
                of = self._store.steady_input if region.row.wanders else self._store.input
                steady_input[own] = torch.from_numpy(of(region.row, *part).copy())
            release(self._store.samples)
        return Batch(
            input=input,
            target=target,
            controls=controls_tensor([region.row for region in group]),
            valid_samples=torch.tensor([region.length for region in group]),
            names=[region.name for region in group],
            delay=delay,
            steady_input=steady_input,
        )


def steps_back(delay: NDArray[np.float32], place: int) -> int:
    """By how many samples the input may be taken earlier, so that no more delay is given than has to be.

    A clock that is off makes a delay that grows without end; a model that starts where it is heard needs but what the
    delay changes by.

    Args:
        delay: Of the target, over a segment or a region, in samples: (samples,).
        place: Where it begins in the recording: there is no input before 0.
    """
    return max(0, min(math.floor(float(delay.min())) - LEAST_DELAY_SAMPLES, place))


def group_by_length(regions: Sequence[Region], most_rows: int = MAX_ROWS) -> list[list[Region]]:
    """Regions of like length together, longest first: at most 2^24 samples, at most 3/4 of a row padding."""
    groups: list[list[Region]] = []
    for region in sorted(regions, key=lambda region: -region.length):
        full = not groups or len(groups[-1]) == most_rows
        full = full or (len(groups[-1]) + 1) * groups[-1][0].length > LARGE_SAMPLES
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


def regions_by_setting(regions: Sequence[Region]) -> list[NDArray[np.int64]]:
    """Of each control setting the numbers of its regions, settings in the order of their first appearance."""
    numbers = np.asarray(setting_numbers(regions))
    return [np.flatnonzero(numbers == number) for number in range(int(numbers.max()) + 1)]
