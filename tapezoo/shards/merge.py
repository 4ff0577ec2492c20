"""Merges the checkpoints of one grid's shards into one: for every cell, the net with the smallest error."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.spatial import cKDTree

from tapezoo.checkpoint import BEST, LAST, load_model, read_checkpoint
from tapezoo.jobs.settings import differences
from tapezoo.layers.weight_table import WeightTable
from tapezoo.play import settle
from tapezoo.shards.errors import ShardError
from tapezoo.staging import replaced_file
from tapezoo.training.cell_levenberg_marquardt import WeightsFollowControls
from tapezoo.training.effect import VALIDATION_SETTLE_SAMPLES, EffectModel

OF_A_SHARD = ("dataset_hash", "grid_hash", "cells", "merged_of", "run_id")  # what of their provenance differs
OF_LIGHTNING = ("epoch", "global_step", "pytorch-lightning_version")
SHOWN_DIFFERENCES = 3


@dataclass(frozen=True)
class Merged:
    """A model with the nets of several shards.

    Args:
        model: The nets that no shard fitted are those of the nearest cell that one did.
        content: The checkpoint, as Lightning keeps one, without what a training would go on with.
        missing: Cells that no shard fitted.
    """

    model: EffectModel
    content: dict[str, Any]
    missing: int

    def as_bytes(self) -> bytes:
        """The checkpoint's file."""
        file = io.BytesIO()
        torch.save(self.content, file)
        return file.getvalue()

    def write(self, path: Path) -> None:
        """Writes the checkpoint, whole or not at all; its folder is made."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced_file(path) as part:
            part.write_bytes(self.as_bytes())


def checkpoint_of(path: Path) -> Path:
    """The checkpoint that a shard's folder counts with; a file is taken as it is.

    That is the last one: cell by cell a training keeps the better net, while its best.ckpt may be what it started from,
    where that scored better over all cells together.
    """
    if not path.is_dir():
        return path
    return path / LAST if (path / LAST).is_file() else path / BEST


def merge_shards(paths: Sequence[Path]) -> Merged:
    """Of every cell the net with the smallest error, from checkpoints of one recipe on shards of one grid.

    Args:
        paths: One or more checkpoints.

    Raises:
        CheckpointError: A file that is no checkpoint.
        ShardError: A model without a table of nets, shards that do not belong together, or none with a fitted cell.
    """
    first, *others = paths
    content = read_checkpoint(first)
    model = load_model(first)
    table = table_of(model, first)
    provenances = [content["tapezoo"]["provenance"]]
    with torch.no_grad():
        for path in others:
            other = read_checkpoint(path)
            _check_alike(first, content["tapezoo"], path, other["tapezoo"])
            theirs = table_of(load_model(path), path)
            better = theirs.errors < table.errors
            table.take(better, theirs, better)
            table.errors[better] = theirs.errors[better]
            provenances.append(other["tapezoo"]["provenance"])
        missing = _fill(table, first)
    state, _ = settle(model.net, model.default_controls(), limit_samples=VALIDATION_SETTLE_SAMPLES)
    model.net.store_rest(state)
    weights = {f"net.{name}": value for name, value in model.net.state_dict().items()}
    done = table.errors[torch.isfinite(table.errors)]
    own = {
        **content["tapezoo"],
        "metrics": {"missed_median": float(done.median()), "missed_worst": float(done.max())},
        "provenance": _merged_provenance(paths, provenances),
    }
    kept: dict[str, Any] = {name: content[name] for name in OF_LIGHTNING if name in content}
    return Merged(
        model, {**kept, "tapezoo": own, "state_dict": {**content["state_dict"], **weights}}, missing
    )


def table_of(model: EffectModel, path: Path) -> WeightTable:
    """The table of nets of a checkpoint's model. Raises ShardError if it has none."""
    net = model.net
    weights = net.fitted_weights() if isinstance(net, WeightsFollowControls) else None
    if not isinstance(weights, WeightTable) or not weights.shape:
        raise ShardError(
            str(path),
            found=f"a checkpoint of {type(model).__name__} without a table of nets",
            expected="a checkpoint of a grid of nets, such as STNGrid with axes",
            fix="Pass the best.ckpt of shards of one grid, or their folders.",
        )
    return weights


def _fill(table: WeightTable, path: Path) -> int:
    """Gives cells that nobody fitted the net of the nearest one; how many they are. Mixed nets must be near ones."""
    missed = table.errors.numpy()
    known, missing = np.flatnonzero(np.isfinite(missed)), np.flatnonzero(~np.isfinite(missed))
    if not len(known):
        raise ShardError(
            str(path),
            found="no fitted cell, as in all the other checkpoints",
            expected="checkpoints of tapezoo.training.CellLevenbergMarquardt after their first epoch",
            fix="Finish training the shards.",
        )
    if len(missing):
        places = np.stack(np.unravel_index(np.arange(len(missed)), table.shape), axis=1)
        _, nearest = cKDTree(places[known]).query(places[missing])
        table.take(torch.from_numpy(missing), table, torch.from_numpy(known[nearest]))
    return len(missing)


def _check_alike(first: Path, own: Mapping[str, Any], second: Path, other: Mapping[str, Any]) -> None:
    found = differences(_identity(own), _identity(other))
    if found:
        more = len(found) - SHOWN_DIFFERENCES
        raise ShardError(
            f"{first} and {second}",
            found=f"{'; '.join(found[:SHOWN_DIFFERENCES])}{f'; {more} more' if more > 0 else ''}",
            expected="shards of one recipe on parts of one grid",
            fix="Leave one of them out.",
        )


def _identity(own: Mapping[str, Any]) -> dict[str, Any]:
    """What must be the same in all shards: architecture, arguments with controls and rate, data of the whole grid."""
    return {
        "architecture": own["architecture"],
        "arguments": own["arguments"],
        "data": _grid_hash(own["provenance"]),
    }


def _grid_hash(provenance: Mapping[str, Any]) -> Any:
    return provenance.get("grid_hash") or provenance.get("dataset_hash")


def _merged_provenance(paths: Sequence[Path], provenances: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What all have in common; the data are the whole grid, and what each shard was is listed."""
    first, *others = provenances
    common = {
        name: value
        for name, value in first.items()
        if name not in OF_A_SHARD and all(other.get(name) == value for other in others)
    }
    grid = _grid_hash(first)
    parts = [
        str(provenance.get("merged_of") or provenance.get("cells") or path.name)
        for path, provenance in zip(paths, provenances, strict=True)
    ]
    known = {} if grid is None else {"dataset_hash": grid, "grid_hash": grid}
    return {**common, **known, "merged_of": ", ".join(parts)}
