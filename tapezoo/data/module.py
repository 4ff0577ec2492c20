"""What all data modules share: prepared rows in, loaders out."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from tapezoo.cache_folder import cache_root
from tapezoo.controls import Control
from tapezoo.data.arguments import BYTES_PER_SAMPLE, check_epoch, check_range, check_sizes
from tapezoo.data.batch import Batch
from tapezoo.data.cache import Store, check_room, content_hash, open_store, write_store
from tapezoo.data.checks import check_region
from tapezoo.data.described import DescribedData
from tapezoo.data.findings import Finding
from tapezoo.data.prepared import PreparedRow
from tapezoo.data.segments import (
    MAX_ROWS,
    Region,
    Segments,
    SegmentSampler,
    WholeRegions,
    batches_once,
    regions_by_setting,
    regions_of,
)
from tapezoo.data.settings import Setting, kind_of, setting_text, sort_settings
from tapezoo.data.silence import Pieces
from tapezoo.data.split_checks import check_given_delay, check_not_empty, silent_split_findings
from tapezoo.data.splits import SPLITS, Split
from tapezoo.data.training_rows import balance_scales, silence_findings, training_pieces

_log = logging.getLogger(__name__)
_LEVELS = {"note": logging.INFO, "corrected": logging.INFO, "warning": logging.WARNING}


NAMED_RECORDINGS = 10  # in what a checkpoint says of its data


class Row(NamedTuple):
    """One region of a split as arrays, for reports and closed-form fits."""

    name: str
    input: NDArray[np.float32]  # (samples,), read along the delay where that is removed or given
    target: NDArray[np.float32]  # (samples,)
    controls: NDArray[np.float32]  # (num_controls,) in 0..1
    setting: Setting  # the same, without what is idle


class Passage(NamedTuple):
    """One region of a split within the recording that it is cut from: what can be listened to."""

    recording: str
    input: NDArray[np.float32]  # (samples,), of the whole recording
    target: NDArray[np.float32]  # (samples,)
    start: int  # of the region, in samples
    stop: int
    controls: NDArray[np.float32]  # (num_controls,) in 0..1
    setting: Setting


class PairsDataModule(DescribedData):
    """Loaders over prepared pairs; a subclass says what to prepare and what makes it unique.

    Args:
        sample_rate: In Hz.
        controls: The knobs the recordings are made at; empty for a fixed device.
        batch_size: Rows of a training batch, at least 1.
        segment_samples: Scored samples of a training row, at least 1.
        batches_per_epoch: Length of an epoch; None: as many batches as cover the training audio once.
        burn_in_samples: Unscored samples before each segment, at least 0.
        seed: Of the choice of segments, at least 0.
        balance_energy: Whether the loss gets rows divided by the RMS of their setting's training target.
        silent_share: Largest share of training rows that are silent in dry and wet, 0 to 1.
        cache_dir: Folder of the memory maps; None: TAPEZOO_CACHE, else the user's cache folder.
        held_out: Settings of the controls whose rows are in the test split alone.
        switches: Controls that choose among machines, by number: nothing can be recorded between their values.
    """

    longer_audio: ClassVar[str]
    """Half a sentence: what a user can do about audio too short for a segment."""
    most_whole_rows: int = MAX_ROWS
    """Of a batch of validation or test."""

    def __init__(
        self,
        sample_rate: int,
        controls: list[Control],
        batch_size: int,
        segment_samples: int,
        batches_per_epoch: int | None,
        burn_in_samples: int,
        seed: int,
        balance_energy: bool,
        silent_share: float,
        cache_dir: str | None,
        held_out: frozenset[Setting] = frozenset(),
        switches: frozenset[int] = frozenset(),
    ) -> None:
        super().__init__()
        check_sizes(batch_size, segment_samples, batches_per_epoch, burn_in_samples, seed)
        check_range("silent_share", silent_share, 0.0, 1.0)
        self.sample_rate = sample_rate
        self.controls: list[dict[str, Any]] = [
            replace(control, switch=number in switches).to_dict() for number, control in enumerate(controls)
        ]
        self.batch_size = batch_size
        self.segment_samples = segment_samples
        self.batches_per_epoch = batches_per_epoch
        self.burn_in_samples = burn_in_samples
        self.seed = seed
        self.balance_energy = balance_energy
        self.silent_share = silent_share
        self.findings: list[Finding] = []
        self.held_out = held_out
        self.switches = switches
        self.dataset_hash = ""
        self._cache_root: Path = cache_root(cache_dir)
        self._store: Store | None = None
        self._pieces: list[Pieces] = []

    @abstractmethod
    def fingerprint(self) -> dict[str, Any]:
        """Plain values of all that shapes the audio; equal on every machine, free of paths."""

    @abstractmethod
    def row_names(self) -> list[str]:
        """Names as they stand in the store; part of its key, not of the data set's hash."""

    @abstractmethod
    def prepared_samples(self) -> int:
        """How long all rows will be together, about: pairs of an input and a target."""

    def origin(self) -> dict[str, str]:
        """What checkpoints say of the data they were trained on; after `setup`."""
        names = list(dict.fromkeys(self.row_names()))
        more = f" and {len(names) - NAMED_RECORDINGS} more" if len(names) > NAMED_RECORDINGS else ""
        return {"dataset_hash": self.dataset_hash, "recordings": ", ".join(names[:NAMED_RECORDINGS]) + more}

    def other_findings(self) -> list[Finding]:
        """Findings for the user that do not concern the prepared audio."""
        return []

    @abstractmethod
    def prepare_rows(self) -> Iterator[PreparedRow]:
        """Makes the rows, one at a time."""

    def examine_splits(self, store: Store) -> list[Finding]:
        """Checks what lies in the splits, and finds where training rows may start.

        Raises:
            DataError: See `setup`.
        """
        regions: dict[Split, list[Region]] = {split: self._regions(store, split) for split in SPLITS}
        check_not_empty(regions)
        for split, own in regions.items():
            for region in own:
                self._check_region(region.name, split, region.length)
        row_samples = self.burn_in_samples + self.segment_samples
        self._pieces = training_pieces(
            store, regions["train"], row_samples, self.silent_share, self.sample_rate
        )
        check_given_delay(store, regions["train"], self.burn_in_samples, self.segment_samples)
        if self.batches_per_epoch is None:
            check_epoch(batches_once(self._pieces, self.segment_samples, self.batch_size), self.batch_size)
        return silent_split_findings(store, regions) + silence_findings(self._pieces)

    def prepare_data(self) -> None:
        """Reads or renders, checks, aligns and caches everything that is not cached yet."""
        self._open()

    def setup(self, stage: str | None = None) -> None:
        """Opens the cache; `findings`, `dataset_hash` and the loaders are ready afterwards.

        Raises:
            DataError: A region is too short for one row, or there is no audio to train or to validate on.
        """
        self._open()

    def train_dataloader(self) -> DataLoader[Batch]:
        """Batches of random segments, each with its burn-in; every control setting has an equal share."""
        store = self._open()
        regions = self._regions(store, "train")
        sampler = SegmentSampler(
            self._pieces,
            regions_by_setting(regions),
            len(self.controls),
            self.segment_samples,
            self.batch_size,
            self.batches_per_epoch,
            self.seed,
        )
        scales = balance_scales(store, regions) if self.balance_energy else None
        dataset = Segments(store, regions, self.burn_in_samples + self.segment_samples, scales)
        # the sampler's items are whole batches: no workers and no collation, one gather each
        return DataLoader(dataset, sampler=sampler, batch_size=None, collate_fn=pass_on)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Whole validation regions as rows."""
        return self._whole("val")

    def test_dataloader(self) -> DataLoader[Batch]:
        """Whole test regions as rows, named by file and time."""
        return self._whole("test")

    def predict_dataloader(self) -> DataLoader[Batch]:
        """The same as test."""
        return self._whole("test")

    def split_arrays(self, split: Split) -> list[Row]:
        """Every region of `split`, without padding; views into the memory map."""
        store = self._open()
        return [
            Row(
                region.name,
                store.input(region.row, region.start, region.stop),
                store.target(region.row, region.start, region.stop),
                np.asarray(region.row.controls, dtype=np.float32),
                region.setting,
            )
            for region in self._regions(store, split)
        ]

    def passages(self, split: Split) -> list[Passage]:
        """Every region of `split` with what is around it; views into the memory map."""
        store = self._open()
        return [
            Passage(
                region.row.name,
                store.input(region.row, 0, region.row.length),
                store.target(region.row, 0, region.row.length),
                region.start,
                region.stop,
                np.asarray(region.row.controls, dtype=np.float32),
                region.setting,
            )
            for region in self._regions(store, split)
        ]

    def settings(self, *splits: Split) -> set[Setting]:
        """The settings of the controls that have a part in any of the splits."""
        store = self._open()
        return {region.setting for split in splits for region in self._regions(store, split)}

    def describe(self) -> str:
        """A few lines for the user: how much audio there is, and what the checks saw."""
        store = self._open()
        parts = []
        for split in SPLITS:
            regions = self._regions(store, split)
            seconds = sum(region.length for region in regions) / self.sample_rate
            number = f"{len(regions)} region{'' if len(regions) == 1 else 's'}"
            parts.append(f"{split} {seconds:.1f} s in {number}")
        names = ", ".join(control["name"] for control in self.controls) or "none"
        lines = [f"audio at {self.sample_rate} Hz: {'; '.join(parts)}. Controls: {names}."]
        lines += self._held_out_lines()
        return "\n".join(lines + [str(finding) for finding in self.findings])

    def profile(self) -> dict[str, str | int | float]:
        """Rate, and how much audio there is in each split, as plain values; after `setup`."""
        store = self._open()
        seconds = {
            f"{split}_s": round(
                sum(region.length for region in self._regions(store, split)) / self.sample_rate, 2
            )
            for split in SPLITS
        }
        return {"sample_rate": self.sample_rate, "rows": len(store.rows), **seconds}

    def _held_out_lines(self) -> list[str]:
        controls = [Control(**control) for control in self.controls]
        trained, recorded = self.settings("train"), self.settings(*SPLITS)
        return [
            f"held out: {setting_text(controls, setting)} ({kind_of(setting, trained, recorded)})"
            for setting in sort_settings(self.held_out)
        ]

    def _regions(self, store: Store, split: Split) -> list[Region]:
        return regions_of(store, split, self.sample_rate, self.held_out)

    def _whole(self, split: Split) -> DataLoader[Batch]:
        store = self._open()
        dataset = WholeRegions(store, self._regions(store, split), self.most_whole_rows)
        return DataLoader(dataset, batch_size=None, shuffle=False, collate_fn=pass_on)

    def _open(self) -> Store:
        if self._store is not None:
            return self._store
        fingerprint = self.fingerprint()
        # what is held out changes what is trained on, but nothing that is stored
        held_out = sort_settings(self.held_out)
        self.dataset_hash = content_hash([fingerprint, {"held_out": held_out}] if held_out else fingerprint)
        key = content_hash([fingerprint, self.row_names()])[:32]
        store = open_store(self._cache_root, key)
        if store is None:
            check_room(self._cache_root, self.prepared_samples() * BYTES_PER_SAMPLE)
            write_store(self._cache_root, key, self.prepare_rows())
            store = open_store(self._cache_root, key)
        if store is None:
            raise RuntimeError(f"the cache entry {key} in {self._cache_root} vanished while it was opened")
        found = [*store.findings, *self.other_findings(), *self.examine_splits(store)]
        self.findings = list(dict.fromkeys(found))  # one dry can belong to many pairs
        for finding in self.findings:
            _log.log(_LEVELS[finding.severity], "%s", finding)
        self._store = store
        return store

    def _check_region(self, name: str, split: Split, samples: int) -> None:
        check_region(
            name,
            split,
            samples,
            self.segment_samples,
            self.burn_in_samples,
            self.sample_rate,
            self.longer_audio,
        )


def pass_on(batch: Any) -> Any:
    """What a sampler of whole batches needs in place of collation."""
    return batch
