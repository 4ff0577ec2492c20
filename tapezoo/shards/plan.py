"""From the recipe of a grid of nets to the recipes of its shards."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from pathlib import Path

from tapezoo import models
from tapezoo.data.cells import wave_order
from tapezoo.devices.hysteresis import Hysteresis
from tapezoo.jobs.settings import Config
from tapezoo.models.stn_grid import STNGrid
from tapezoo.shards.errors import ShardError

CELLS_PER_SHARD = 100  # without a number of shards
OBJECTIVE, DATA, REGISTER = "CellLevenbergMarquardt", "HysteresisCells", "Register"


def check_recipe(path: Path, recipe: Config) -> tuple[int, ...]:
    """The shape of the grid of nets.

    Args:
        path: Of the recipe.
        recipe: Resolved.

    Raises:
        ShardError: It trains no grid of nets cell by cell, or not on the cells of the same grid.
    """
    model, data = recipe["model"], recipe["data"]
    name = _class_name(model)
    if not issubclass(models.resolve(name), STNGrid):
        raise _no_grid(path, f"the model {name}", "a table of nets, tapezoo.models.STNGrid")
    objective = model["init_args"].get("objective") or {"class_path": "Supervised"}
    if _class_name(objective) != OBJECTIVE:
        expected = f"tapezoo.training.{OBJECTIVE}, which measures the error of each cell"
        raise _no_grid(path, f"the objective {_class_name(objective)}", expected)
    if _class_name(data) != DATA:
        raise _no_grid(
            path, f"the data {_class_name(data)}", f"tapezoo.data.{DATA}, which can be divided into shards"
        )
    axes: Mapping[str, int] = data["init_args"]["axes"]
    wanted = [axes.get(control.name, 0) for control in Hysteresis.controls]
    nets = model["init_args"].get("axes") or [3] * len(wanted)
    if list(nets) != wanted:
        raise _no_grid(path, f"nets on the axes {list(nets)}", f"{wanted}, as the cells of the data")
    return tuple(axes.values())


def plan_shards(recipe: Config, shards: int) -> dict[str, Config]:
    """What `fit` gets for every shard, in their order.

    Each has one thread, since they run side by side, and none is tracked, registered or checked for steadiness: it is a
    part of a model.
    """
    return {f"shard-{number}": _plan_shard(recipe, number, shards) for number in range(shards)}


def check_shards(shards: int | None, cells: int) -> int:
    """How many shards there are; without a number about one for every hundred cells.

    Raises:
        ShardError: Not 1 to as many as cells.
    """
    if shards is None:
        return math.ceil(cells / CELLS_PER_SHARD)
    if not 1 <= shards <= cells:
        raise ShardError(
            "--shards",
            found=str(shards),
            expected=f"1 to {cells}, the number of cells",
            fix="Choose a number so that one shard takes some minutes.",
        )
    return shards


def from_the_middle(shape: tuple[int, ...], shards: int) -> list[int]:
    """Numbers of the shards, the one with the middle of the grid first, then by how near they are to it in order."""
    cells = math.prod(shape)
    middle = int(wave_order(shape)[0])
    home = next(number for number in range(shards) if middle < cells * (number + 1) // shards)
    return sorted(range(shards), key=lambda number: abs(number - home))


def _plan_shard(recipe: Config, number: int, shards: int) -> Config:
    shard = copy.deepcopy(recipe)
    shard["threads"] = 1
    shard["check_steadiness"] = False  # of nets that are not fitted yet, as most of its table
    shard["final_test"] = False
    shard["data"]["init_args"] |= {"shard": number, "shards": shards}
    shard["model"]["init_args"]["objective"].setdefault("init_args", {})["workers"] = 1
    cache_dir = shard["data"]["init_args"].get("cache_dir")
    if cache_dir is not None:
        shard["data"]["init_args"]["cache_dir"] = str(Path(cache_dir).resolve())
    trainer = shard["trainer"]
    callbacks = trainer.get("callbacks") or []
    callbacks = callbacks if isinstance(callbacks, list) else [callbacks]
    trainer["callbacks"] = [one for one in callbacks if _class_name(one) != REGISTER] or None
    trainer["logger"] = False
    shard["run_dir"], shard["ckpt_path"], shard["warm_start"], shard["overwrite"] = None, None, None, False
    return shard


def _class_name(section: Mapping[str, str]) -> str:
    return section["class_path"].rpartition(".")[2]


def _no_grid(path: Path, found: str, expected: str) -> ShardError:
    return ShardError(
        str(path),
        found=found,
        expected=expected,
        fix="Correct the recipe, see recipes/stn/cube.yaml; `tapezoo fit` trains any other one.",
    )
