"""`tapezoo compare RECIPES`: several recipes under one budget on the same data, in one table."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from tapezoo.cli.completion import complete_with
from tapezoo.cli.shipped_recipes import find_recipe, shipped_recipes
from tapezoo.errors import UsageError
from tapezoo.terminal import say

# arguments of `fit` that hold for every row
OVERRIDES = ("--data", "--threads", "--seed_everything", "--tracking", "--trainer.logger", "--allow-import")
EPILOG = """
The data are those of the first recipe, or of the command line: --data CLASS and --data.NAME VALUE as for `fit`. Each
recipe keeps its own batch_size, segment_samples, batches_per_epoch, burn_in_samples and seed unless they are given on
the command line. All rows are scored on the same samples, after the longest burn-in. --threads (default 1),
--seed_everything, --tracking.NAME, --trainer.logger false and --allow-import PACKAGE apply to every row. A recipe's
max_epochs, max_time, early stopping, warm_start and validation limits are ignored: only the budget ends a row, and
CosineDecay ends with it. With --minutes, run nothing else on the machine, since it would slow the row down. The same
command resumes where it stopped and repeats rows that failed. With --engine ray, recordings must have the same path
on every worker, and --tracking.uri must name a server that all workers can reach.
"""


def add_parser(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser(
        "compare", help="train several recipes under the same budget and tabulate the results", epilog=EPILOG
    )
    recipes = parser.add_argument(
        "recipes", nargs="+", help="recipes, by path or name, as for `fit --config`"
    )
    complete_with(recipes, shipped_recipes)
    parser.add_argument("--minutes", type=float, help="budget of each row in minutes of elapsed time")
    parser.add_argument(
        "--audio-seconds",
        type=float,
        help="budget of each row in seconds of audio trained on; does not depend on the speed of the machine",
    )
    parser.add_argument(
        "--seeds",
        type=int,
        help="train every recipe with this many seeds, its own and the following ones, and report the spread",
    )
    parser.add_argument("--out", type=Path, help="folder of the results (default: comparisons/TIME)")
    parser.add_argument("--overwrite", action="store_true", help="delete what is in --out and start again")
    parser.add_argument(
        "--engine",
        choices=("serial", "ray"),
        default="serial",
        help="run the rows one after another, or on Ray (default: serial)",
    )
    parser.add_argument("--address", help="address of the Ray cluster (default: a new one on this machine)")
    parser.set_defaults(verb=run)


def split_overrides(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The verb's own arguments, and those that go on to `fit`."""
    if not arguments or arguments[0] != "compare":
        return list(arguments), []
    own: list[str] = []
    overrides: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        option = argument.partition("=")[0]
        if not any(option == name or option.startswith(f"{name}.") for name in OVERRIDES):
            own.append(argument)
            continue
        overrides.append(argument)
        if "=" not in argument and rest and not rest[0].startswith("--"):
            overrides.append(rest.pop(0))
    return own, overrides


def run(options: argparse.Namespace) -> int:
    """Trains what is not finished; returns 1 if a row failed."""
    from tapezoo.cli.lean import import_lightning
    from tapezoo.cli.recipe_text import read_recipe

    paths = [find_recipe(asked, say) for asked in options.recipes]
    for path in paths:
        read_recipe(path)
    import_lightning()
    from tapezoo.cli import training
    from tapezoo.cli.faults import as_user_errors
    from tapezoo.cli.short_forms import split_allowed
    from tapezoo.cli.training_options import ALLOW_IMPORT
    from tapezoo.compare.folder import COMPARISON, HASH, check_unchanged
    from tapezoo.compare.plan import Budget, check_effects, check_rates, name_rows, plan_rows
    from tapezoo.compare.row import Row
    from tapezoo.compare.run import OWN_FILES, Comparison, make_caption, run_serially, run_with_ray
    from tapezoo.compare.seeds import with_seeds
    from tapezoo.data.opening import open_data
    from tapezoo.jobs.folder import is_finished, open_folder
    from tapezoo.jobs.lock import lock_folder
    from tapezoo.jobs.ray_engine import connect
    from tapezoo.screen import Screen
    from tapezoo.tracking import Tracking, check_server, tracking_uri

    budget = Budget(options.minutes, options.audio_seconds)
    if options.address is not None and options.engine != "ray":
        raise UsageError("tapezoo compare", "--address without --engine ray")
    out = options.out or Path("comparisons") / f"{datetime.now():%Y%m%d-%H%M%S}"
    known = open_folder(out, COMPARISON, HASH, options.overwrite)
    names = name_rows(paths, OWN_FILES)
    overrides = ["--threads", "1", *options.overrides]
    allowed = [f"{ALLOW_IMPORT}={package}" for package in split_allowed(options.overrides)[1]]
    recipes = {
        name: training.resolved_recipe(path, overrides) for name, path in zip(names, paths, strict=True)
    }
    recipe_of: dict[str, str] = {}
    if options.seeds is not None:
        recipes, recipe_of = with_seeds(recipes, options.seeds, OWN_FILES)
    check_effects(recipes)
    rows = plan_rows(recipes, budget)
    first_name = next(iter(rows))
    first = rows[first_name]
    named = recipes[first_name]["tracking"]
    tracking = None if first["trainer"]["logger"] is False else Tracking(**named)
    if tracking is not None:
        check_server(tracking_uri(tracking))
        if options.address is not None:
            _check_reachable(tracking_uri(tracking))
    ray = connect(options.address) if options.engine == "ray" else None  # before the data, which take longer

    console = Screen()
    with console.status("preparing the data"):
        with as_user_errors("tapezoo compare"):
            data = open_data(first["data"])
        declared = {name: recipe["data"]["init_args"].get("sample_rate") for name, recipe in recipes.items()}
        check_rates(declared, data.sample_rate)
        if known:  # empty with --overwrite, whatever lies there
            check_unchanged(out, known, rows, data.dataset_hash)
        caption = make_caption(data, first, budget)
    out.mkdir(parents=True, exist_ok=True)
    with lock_folder(out, "compare") as lock:
        comparison = Comparison(
            out, rows, data.dataset_hash, caption, tracking, known, options.overwrite, console, recipe_of
        )
        tasks = [
            Row(name, config, (*comparison.fit_arguments(), *allowed), dataset_hash=data.dataset_hash)
            for name, config in rows.items()
            if not is_finished(out / name)
        ]
        try:
            if ray is not None:
                run_with_ray(comparison, ray, tasks)
            else:
                run_serially(comparison, tasks, budget, lock)
        except BaseException as error:
            comparison.end("interrupted" if isinstance(error, KeyboardInterrupt) else "failed")
            raise
        finally:
            if ray is not None:
                ray.shutdown()
        return 0 if comparison.end("finished") else 1


def _check_reachable(uri: str) -> None:
    if not uri.startswith(("http://", "https://")):
        raise UsageError(
            "tapezoo compare",
            f"--tracking.uri {uri}, to which other machines cannot write (name an MLflow server, or add "
            "--trainer.logger false)",
        )
