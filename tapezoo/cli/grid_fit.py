"""`tapezoo grid fit RECIPE --out FOLDER`: a grid of nets trained in shards, here or on a Ray cluster."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from tapezoo.cli.completion import complete_with
from tapezoo.cli.shipped_recipes import find_recipe, shipped_recipes
from tapezoo.errors import UsageError
from tapezoo.terminal import say

COMMAND = "tapezoo grid fit"
EPILOG = """
A shard is a `tapezoo fit` of the same recipe on some of the cells, with one thread. The shard with the middle of the
grid is trained first; all others start from its nets. The same command resumes where it stopped: finished shards are
kept, interrupted ones continue from their last.ckpt if there is one, and failed ones start again. A shard that is
killed is restarted once immediately. Shards are not tracked with MLflow. At the end, best.ckpt in the folder holds
the nets of all shards, beside a report of its cells, as after `tapezoo grid merge`.
"""


def add_parser(kinds: Any) -> None:
    """Adds it to the kinds of `tapezoo grid`."""
    parser = kinds.add_parser(
        "fit", help="train a grid of nets in shards, in several processes or on a cluster", epilog=EPILOG
    )
    recipe = parser.add_argument(
        "recipe",
        help="recipe of an STNGrid on HysteresisCells, by path or name, such as recipes/stn/cube.yaml or stn/cube",
    )
    complete_with(recipe, shipped_recipes)
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of the shards and of the merged result"
    )
    parser.add_argument(
        "--shards", type=int, help="number of shards (default: about one for every 100 cells)"
    )
    parser.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="run the shards on this machine or on Ray (default: local)",
    )
    parser.add_argument(
        "--workers",
        type=int,
        help="shards trained at the same time on this machine (default: its number of cores)",
    )
    parser.add_argument("--address", help="address of the Ray cluster (default: a new one on this machine)")
    parser.add_argument("--overwrite", action="store_true", help="delete what is in --out and start again")
    parser.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Trains what is not finished and merges; returns 1 if a shard is not finished."""
    workers = _check_engine(options)

    import math

    import yaml

    from tapezoo.cli.lean import import_lightning
    from tapezoo.cli.recipe_text import read_recipe

    recipe_path = find_recipe(options.recipe, say)
    read_recipe(recipe_path)
    import_lightning()
    from tapezoo.callbacks.cells import write_cell_report
    from tapezoo.callbacks.recorder import REPORT
    from tapezoo.checkpoint import BEST, read_checkpoint
    from tapezoo.cli import training
    from tapezoo.jobs.folder import empty_folder, open_folder, refuse_changes, write_json
    from tapezoo.jobs.local_engine import run_side_by_side
    from tapezoo.jobs.lock import lock_folder
    from tapezoo.jobs.ray_engine import connect, run_on_ray
    from tapezoo.jobs.settings import differences
    from tapezoo.run_files import CONFIG
    from tapezoo.screen import Screen
    from tapezoo.shards.fit import KEY, NOTE, GridFit
    from tapezoo.shards.plan import check_recipe, check_shards, from_the_middle, plan_shards
    from tapezoo.staging import replaced_file

    out: Path = options.out
    known = open_folder(out, NOTE, KEY, options.overwrite)
    recipe = training.resolved_recipe(recipe_path, [])
    shape = check_recipe(recipe_path, recipe)
    shards = check_shards(options.shards, math.prod(shape))
    if known:
        changed = [] if known[KEY] == shards else [f"shards: {known[KEY]} -> {shards}"]
        refuse_changes(out, [*changed, *differences(known.get("recipe", {}), recipe)])
    start = None
    if recipe["warm_start"] is not None:
        read_checkpoint(Path(recipe["warm_start"]))
        start = Path(recipe["warm_start"]).read_bytes()
    ray = connect(options.address) if options.engine == "ray" else None
    console = Screen()
    out.mkdir(parents=True, exist_ok=True)
    with lock_folder(out, "grid fit") as lock:
        if options.overwrite:
            empty_folder(out)
        write_json(out / NOTE, {KEY: shards, "recipe": recipe})
        with replaced_file(out / CONFIG) as part:
            part.write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")
        fit = GridFit(out, plan_shards(recipe, shards), from_the_middle(shape, shards), (), start, console)

        def engine(tasks: Any, ended: Any, waiting: Any) -> None:
            if ray is not None:
                run_on_ray(ray, list(tasks), out, ended, waiting)
            else:
                run_side_by_side(tasks, out, workers, ended, waiting, lock)

        try:
            fit.train(engine)
        finally:
            unfinished = fit.write_report()
            if ray is not None:
                ray.shutdown()
        for name, outcome in unfinished:
            console.say(f"{name}: {outcome.status}, {outcome.reason} (log: {outcome.log})")
        if fit.missed:
            merged = fit.merged()
            merged.write(out / BEST)
            write_cell_report(merged.model, out / REPORT, console)
            console.say(f"{fit.text()}: {out / BEST}")
        return 1 if unfinished else 0


def _check_engine(options: argparse.Namespace) -> int:
    """How many shards at a time on this machine."""
    if options.address is not None and options.engine != "ray":
        raise UsageError(COMMAND, "--address without --engine ray")
    if options.workers is not None and options.engine == "ray":
        raise UsageError(COMMAND, "--workers with --engine ray, which uses the cores of the cluster")
    cores = os.cpu_count() or 1
    workers: int = cores if options.workers is None else options.workers
    most = max(2, cores)
    if not 1 <= workers <= most:
        raise UsageError(COMMAND, f"--workers {workers}, where 1 to {most} are useful on {cores} cores")
    return workers
