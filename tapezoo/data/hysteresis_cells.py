"""Hysteresis at every cell of a grid of its knobs: what a small net for each cell, or one net for all, learns."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from tapezoo.data.arguments import BYTES_PER_SAMPLE, MOST_ROWS, MOST_SAMPLES, MOST_SEED, check_range, in_bytes
from tapezoo.data.batch import Batch
from tapezoo.data.cache import Store, content_hash
from tapezoo.data.cells import CellSampler, cell_positions, wave_order
from tapezoo.data.errors import DataError
from tapezoo.data.findings import Finding
from tapezoo.data.module import PairsDataModule, pass_on
from tapezoo.data.prepared import PreparedRow
from tapezoo.data.segments import Segments
from tapezoo.data.splits import SPLITS, Split
from tapezoo.data.virtual_devices import MOST_BYTES, sources_hash
from tapezoo.devices.hysteresis import Hysteresis
from tapezoo.devices.hysteresis_fields import Fields, to_ends, training_fields, unseen_fields
from tapezoo.devices.hysteresis_grid import cell_blocks, render_cells
from tapezoo.screen import Screen, bar

REVISION = 4  # raise it when preparation changes what comes out
MOST_POSITIONS = 64  # of an axis
MOST_ROWS_IN_ALL = 1 << 20  # of a shard: each has an entry in the index of the cache
BLOCK_BYTES = 1 << 25  # of magnetisation of one split, rendered at once
# of knobs that are inputs, from row to row, modulo 1: no small whole numbers relate these to the golden ratio that
# spreads the levels, not even nearly, and two of them leave no large hole in the square
_STEPS = {"drive": math.sqrt(2.0), "saturation": math.sqrt(43.0), "bias": math.sqrt(46.0)}


class HysteresisCells(PairsDataModule):
    """The device `hysteresis` at every cell of a grid of its knobs, under fields that lead through all its states.

    All cells use the same fields (`tapezoo.devices.hysteresis_fields`). A knob that is no axis of the grid is an
    input: every row of a cell has its own value of it, spread over 0..1, in training denser at both ends and at these
    themselves. A training batch is some whole cells, the rows of each side by side, from the middle of the grid
    outwards, so that a cell may begin with the weights of a finished neighbour; every epoch visits every cell once,
    in the same order. Half of the training rows begin at any magnetisation. Validation and test are other signals on
    demagnetised tapes, at other values of the inputs. All three knobs are controls, and the settings of reports are the
    cells; a target is what the solver makes of just the input and the controls that stand beside it.

    Args:
        axes: Number of evenly spaced positions 0..1, 2 to 64, of one to three of drive, saturation and bias. The last
            one is the fastest.
        rows: Training rows of a cell, 1 or more; nine in turn are of every kind.
        segment_samples: Samples of a training row.
        val_rows: Rows of a cell in validation, and as many in test; five in turn are of every kind.
        val_samples: Samples of each of these.
        cells_per_batch: Cells of a batch, of all splits; the last one may have fewer.
        sample_rate: In Hz.
        solver: Of the hysteresis: field, RK2, RK4, NR4 or NR8.
        seed: Seed of the order among cells that are equally far from the middle.
        program_seed: Seed of the fields; another seed makes another data set.
        shard: Which part of the grid this is, from 0; parts are contiguous in the order of the cells.
        shards: Number of parts of the grid; each part is a slab if this number divides that of the first axis.
        cache_dir: Folder for rendered audio; by default TAPEZOO_CACHE from the environment, or the user's cache.

    Raises:
        DataError: An axis that is no knob, a size out of range, a shard that does not exist, more shards than cells, or
            more audio than the limit.
        DeviceError: No such solver.
    """

    longer_audio = "raise --data.segment_samples"

    def __init__(
        self,
        axes: dict[str, int],
        rows: int = 36,
        segment_samples: int = 2048,
        val_rows: int = 5,
        val_samples: int = 6000,
        cells_per_batch: int = 4,
        sample_rate: int = 48000,
        solver: str = "NR8",
        seed: int = 0,
        program_seed: int = 0,
        shard: int = 0,
        shards: int = 1,
        cache_dir: str | None = None,
    ) -> None:
        _check_axes(axes)
        check_range("sample_rate", sample_rate, 8_000, 192_000, "Hz")
        check_range("program_seed", program_seed, 0, MOST_SEED)
        check_range("rows", rows, 1, MOST_ROWS)
        check_range("val_rows", val_rows, 1, MOST_ROWS)
        check_range("segment_samples", segment_samples, 1, MOST_SAMPLES, "samples")
        check_range("val_samples", val_samples, 1, MOST_SAMPLES, "samples")
        check_range("cells_per_batch", cells_per_batch, 1, MOST_ROWS // max(rows, val_rows), "cells")
        self.axes, self.solver = dict(axes), solver
        self.shape = tuple(axes.values())
        self.cells = _shard_cells(math.prod(self.shape), shard, shards)
        self._device = Hysteresis(solver=solver)
        self._rows: dict[Split, int] = {"train": rows, "val": val_rows, "test": val_rows}
        self._samples: dict[Split, int] = {"train": segment_samples, "val": val_samples, "test": val_samples}
        self._program_seed = program_seed
        _check_amount(len(self.cells), sum(self._rows.values()), self.prepared_samples())
        at_once = min(cells_per_batch, len(self.cells))
        super().__init__(
            sample_rate,
            list(Hysteresis.controls),
            at_once * rows,
            segment_samples,
            math.ceil(len(self.cells) / at_once),
            burn_in_samples=0,  # rows begin at a magnetisation of their own
            seed=seed,
            balance_energy=False,
            silent_share=1.0,
            cache_dir=cache_dir,
        )
        self._cells_per_batch = at_once
        self.most_whole_rows = at_once * val_rows

    @property
    def title(self) -> str:
        """See `PairsDataModule.title`."""
        return "hysteresis"

    def fingerprint(self) -> dict[str, Any]:
        """Grid, part of it, sizes, solver, fields and the sources of all."""
        return {
            "data": "HysteresisCells",
            "revision": REVISION,
            "device": [self._device.name, self._device.revision],
            "sources": sources_hash([self._device]),
            "axes": [[name, count] for name, count in self.axes.items()],
            "cells": [self.cells.start, self.cells.stop],
            "rows": self._rows,
            "samples": self._samples,
            "solver": self.solver,
            "sample_rate": self.sample_rate,
            "seed": self._program_seed,
        }

    def origin(self) -> dict[str, str]:
        """See `PairsDataModule.origin`; and of which whole grid these are which cells."""
        cells = math.prod(self.shape)
        whole = {**self.fingerprint(), "cells": [0, cells]}
        part = f"cells {self.cells.start} to {self.cells.stop - 1} of {cells}"
        return {**super().origin(), "grid_hash": content_hash(whole), "cells": part}

    def row_names(self) -> list[str]:
        """None: they follow from the fingerprint."""
        return []

    def prepared_samples(self) -> int:
        """Exactly."""
        return len(self.cells) * sum(self._rows[split] * self._samples[split] for split in SPLITS)

    def examine_splits(self, store: Store) -> list[Finding]:
        """Nothing: rows are made by rule, each as long as its split asks, none silent, none aligned."""
        return []

    def train_dataloader(self) -> DataLoader[Batch]:
        """Batches of whole cells, from the middle of the grid outwards."""
        store = self._open()
        regions = self._regions(store, "train")
        # as `prepare_rows` stores them
        of_cells = np.arange(len(regions)).reshape(len(self.cells), -1)
        order = wave_order(self.shape, self.cells, self.seed) - self.cells.start
        sampler = CellSampler(of_cells[order], self._cells_per_batch, len(self.controls))
        dataset = Segments(store, regions, self.segment_samples, None)
        return DataLoader(dataset, sampler=sampler, batch_size=None, collate_fn=pass_on)

    def prepare_rows(self) -> Iterator[PreparedRow]:
        """Solves blocks of cells on all cores, with a progress bar: cell after cell, its splits one after another."""
        positions = cell_positions(self.axes)[self.cells.start : self.cells.stop]
        fields = {split: self._fields(split) for split in SPLITS}
        largest = max(fields.values(), key=lambda own: own.H.size)
        inputs = self._inputs()
        spread = [number for number, one in enumerate(Hysteresis.controls) if one.name not in self.axes]
        with bar(Screen(stderr=True)) as progress:
            task = progress.add_task("Solving hysteresis", total=len(positions))
            for block in cell_blocks(len(positions), largest, BLOCK_BYTES):
                points = {split: self._points(positions[block], inputs[split]) for split in SPLITS}
                targets = {
                    split: render_cells(fields[split], points[split], self.sample_rate, self.solver)
                    for split in SPLITS
                }
                for cell, at in enumerate(positions[block]):
                    where = " ".join(f"{name} {value:.4g}" for name, value in zip(self.axes, at, strict=True))
                    number = 0
                    for split in SPLITS:
                        for row, kind in enumerate(fields[split].kinds):
                            yield PreparedRow(
                                f"hysteresis {where} row {number} {kind}",
                                fields[split].H[row].astype(np.float32),
                                targets[split][cell, row],
                                points[split][cell, row].tolist(),
                                {split: (0, self._samples[split])},
                                (),
                                spread=spread,
                            )
                            number += 1
                progress.advance(task, len(positions[block]))

    def _fields(self, split: Split) -> Fields:
        size = self._rows[split], self._samples[split], self.sample_rate
        if split == "train":
            fields = training_fields(*size, self._program_seed)
        else:  # validation and test never share a seed, whatever `program_seed` is
            fields = unseen_fields(*size, 2 * self._program_seed + (split == "test"))
        # the solver gets exactly the input that the nets get
        return fields._replace(H=fields.H.astype(np.float32).astype(np.float64))

    def _inputs(self) -> dict[Split, NDArray[np.float32]]:
        """Where each knob would stand in each row, were it an input: (rows, 3)."""
        counts = [self._rows[split] for split in SPLITS]
        numbers = np.arange(sum(counts))[:, None]
        steps = np.array([_STEPS[control.name] for control in Hysteresis.controls])
        every = (0.5 + numbers * steps) % 1.0
        inputs = dict(zip(SPLITS, np.split(every, np.cumsum(counts)[:-1]), strict=True))
        inputs["train"] = _stretched(to_ends(inputs["train"]))
        return {split: own.astype(np.float32) for split, own in inputs.items()}

    def _points(self, positions: NDArray[np.float32], inputs: NDArray[np.float32]) -> NDArray[np.float64]:
        """Drive, saturation and bias of every row of some cells, (cells, rows, 3); exact in single precision."""
        points = np.tile(inputs.astype(np.float64), (len(positions), 1, 1))
        names = [control.name for control in Hysteresis.controls]
        for axis, name in enumerate(self.axes):
            points[:, :, names.index(name)] = positions[:, axis, None]
        return points


def _stretched(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Columns stretched to reach from 0 to 1: knobs are often at an end, which a net must have seen in training."""
    low, high = values.min(axis=0), values.max(axis=0)
    return values if len(values) < 2 else np.asarray((values - low) / (high - low))


def _check_axes(axes: Mapping[str, int]) -> None:
    names = [control.name for control in Hysteresis.controls]
    unknown = [name for name in axes if name not in names]
    if unknown or not axes:
        raise DataError(
            "--data.axes",
            found=", ".join(map(repr, unknown)) or "no axis",
            expected=f"one to three of {', '.join(names)}",
            fix="Correct it, such as --data.axes '{saturation: 20, bias: 10}'.",
        )
    for name, count in axes.items():
        check_range(f"axes.{name}", count, 2, MOST_POSITIONS, "positions")


def _shard_cells(cells: int, shard: int, shards: int) -> range:
    check_range("shards", shards, 1, cells)
    check_range("shard", shard, 0, shards - 1)
    return range(cells * shard // shards, cells * (shard + 1) // shards)


def _check_amount(cells: int, rows: int, samples: int) -> None:
    if cells * rows <= MOST_ROWS_IN_ALL and samples * BYTES_PER_SAMPLE <= MOST_BYTES:
        return
    raise DataError(
        "--data.axes",
        found=f"{cells} cells of {rows} rows, {in_bytes(samples * BYTES_PER_SAMPLE)}",
        expected=f"{MOST_ROWS_IN_ALL} rows and {in_bytes(MOST_BYTES)} at most",
        fix="Take the grid in more --data.shards, or fewer or shorter rows.",
    )
