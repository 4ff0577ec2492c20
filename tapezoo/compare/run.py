"""Runs a comparison: its folder, its tracked run, its rows in their order, its table after each."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tapezoo.callbacks.history import HISTORY, read_history
from tapezoo.compare.folder import COMPARISON
from tapezoo.compare.plan import Budget
from tapezoo.data.module import PairsDataModule
from tapezoo.filenames import unique_file_names
from tapezoo.jobs.folder import empty_folder, read_outcome, write_json
from tapezoo.jobs.process import run_task
from tapezoo.jobs.ray_engine import run_on_ray
from tapezoo.jobs.settings import Config
from tapezoo.jobs.task import Task
from tapezoo.measure.comparison import ComparisonRow, Outcome, Validation, measure_spreads, sort_rows
from tapezoo.measure.floor import fit_floor
from tapezoo.report.comparison import (
    Caption,
    comparison_csv,
    comparison_markdown,
    comparison_table,
    spread_table,
)
from tapezoo.report.comparison_picture import draw_comparison
from tapezoo.report.figures import write_png
from tapezoo.report.tables import csv_text, screen_table
from tapezoo.screen import Screen
from tapezoo.staging import replaced_file
from tapezoo.tracking import TrackedRun, Tracking, collect_versions, has_run, make_logger, tracking_uri

TABLE_MD, TABLE_CSV, PICTURE = "table.md", "table.csv", "comparison.png"
SEEDS_CSV = "seeds.csv"
OWN_FILES = (
    COMPARISON,
    f"{Path(COMPARISON).stem}.part",
    TABLE_MD,
    TABLE_CSV,
    PICTURE,
    SEEDS_CSV,
)  # beside the rows' folders


class Comparison:
    """The rows of one comparison, under way.

    Args:
        out: Its folder, which exists.
        rows: What `fit` gets, by name.
        dataset_hash: Of the data of all rows.
        caption: Of the table.
        tracking: Where to track; None: nowhere.
        known: What comparison.json said.
        overwrite: Whether what lies in `out` goes.
        console: Where rows and table are shown.
        recipe_of: The recipe of each row, where seeds are compared.
    """

    def __init__(
        self,
        out: Path,
        rows: Mapping[str, Config],
        dataset_hash: str,
        caption: Caption,
        tracking: Tracking | None,
        known: Mapping[str, Any],
        overwrite: bool,
        console: Screen,
        recipe_of: Mapping[str, str] | None = None,
    ) -> None:
        self.recipe_of = dict(recipe_of or {})
        self.out, self.rows, self.caption, self.console = out, rows, caption, console
        self.tracking = tracking
        if overwrite:
            empty_folder(out)
        self.run = _parent_run(tracking, out, known.get("parent_run")) if tracking is not None else None
        self._log_settings(dataset_hash)
        content = {
            "budget": caption.budget,
            "data": caption.data,
            "dataset_hash": dataset_hash,
            "linear_floor": caption.linear_floor,
            "parent_run": self.run.run_id if self.run is not None else None,
        }
        write_json(out / COMPARISON, content)

    def fit_arguments(self) -> tuple[str, ...]:
        """What every row's `fit` is told besides its recipe."""
        if self.run is None or self.tracking is None:
            return ()
        uri = tracking_uri(self.tracking)
        return ("--tracking.uri", uri, "--tracking.parent_run", str(self.run.run_id))

    def outcomes(self) -> dict[str, Outcome]:
        """How every row stands."""
        found = {name: read_outcome(self.out / name) for name in self.rows}
        return {name: outcome or Outcome("waiting") for name, outcome in found.items()}

    def results(self) -> list[ComparisonRow]:
        """How every row stands and learned, best first."""
        rows = []
        for name, outcome in self.outcomes().items():
            path = self.out / name / HISTORY
            epochs = read_history(path) if path.is_file() else []
            learning = [Validation(one.train_cpu_s, one.val_esr) for one in epochs if one.val_esr is not None]
            rows.append(ComparisonRow(name, outcome, learning, self.recipe_of.get(name, "")))
        return sort_rows(rows)

    def end_row(self, task: Task, outcome: Outcome) -> None:
        """Says how a row ended, and writes the table so far."""
        figures = outcome.figures
        text = f"val_esr {figures.val_esr:.5f}" if figures is not None else outcome.reason
        self.console.say(f"{task.name}: {outcome.status}, {text}")
        self.write_tables()

    def write_tables(self) -> list[ComparisonRow]:
        """Writes tables and picture of what there is into the folder."""
        rows, caption = self.results(), self.caption
        for name, text in (
            (TABLE_MD, comparison_markdown(rows, caption)),
            (TABLE_CSV, comparison_csv(rows)),
            *([(SEEDS_CSV, csv_text(spread_table(rows), line_end="\n"))] if measure_spreads(rows) else []),
        ):
            with replaced_file(self.out / name) as part:
                part.write_text(text, encoding="utf-8")
        title = f"{caption.data_name}: {caption.budget} each"
        write_png(draw_comparison(rows, caption.linear_floor, title), self.out / PICTURE)
        return rows

    def end(self, status: str) -> bool:
        """Writes, shows and tracks the table; whether every row is finished."""
        rows = self.write_tables()
        self.console.print(screen_table(comparison_table(rows, self.caption)))
        if measure_spreads(rows):
            self.console.print(screen_table(spread_table(rows)))
        for row in rows:
            if row.outcome.reason:
                self.console.say(f"{row.name}: {row.outcome.reason} (log: {row.outcome.log})")
        self.console.say(f"written to {self.out}")
        is_complete = all(row.outcome.status == "finished" for row in rows)
        if self.run is not None:
            for name in (TABLE_MD, TABLE_CSV, PICTURE, *([SEEDS_CSV] if measure_spreads(rows) else [])):
                self.run.log_file(self.out / name)
            tags = name_tags(list(self.rows))
            for row in rows:
                if row.outcome.figures is not None:
                    self.run.set_tags({tags[row.name]: f"{row.outcome.figures.val_esr:.6g}"})
            self.run.set_status(status if is_complete or status != "finished" else "failed")
        return is_complete

    def _log_settings(self, dataset_hash: str) -> None:
        if self.run is None:
            return
        caption = self.caption
        self.run.log_settings(
            {
                "budget": caption.budget,
                "data": caption.data_name,
                "dataset_hash": dataset_hash,
                "linear_floor": f"{caption.linear_floor:.6g}",
                "score_after_samples": str(caption.score_after_samples),
                "threads": str(caption.threads),
            }
        )
        tags = {"recipes": ", ".join(self.rows), "kind": "comparison", "status": "running"}
        self.run.set_tags({**tags, **collect_versions(Path.cwd())})


def name_tags(rows: Sequence[str]) -> dict[str, str]:
    """The tag that holds each row's error; MLflow allows fewer characters than file names do."""
    plain = unique_file_names([re.sub(r"[^\w.-]", "_", row) for row in rows])
    return {row: f"val_esr {name}" for row, name in zip(rows, plain, strict=True)}


def run_serially(comparison: Comparison, tasks: Sequence[Task], budget: Budget, lock: int) -> None:
    """Trains the rows on this machine; shows the one under way.

    Args:
        comparison: Whose rows these are.
        tasks: Not finished yet.
        budget: Of every row.
        lock: Holds the folder; see `lock_folder`.
    """
    for number, task in enumerate(tasks, start=1):
        folder = comparison.out / task.name
        head = f"{task.name} ({number} of {len(tasks)})"
        start_s = time.monotonic()
        if not comparison.console.is_terminal:
            comparison.console.say(f"{head}: log in {folder / 'train.log'}")
        with comparison.console.status(f"{head}: starting") as status:

            def watch(
                head: str = head, folder: Path = folder, start_s: float = start_s, status: Any = status
            ) -> None:
                status.update(f"{head}  {_progress(folder, budget, time.monotonic() - start_s)}")

            outcome = run_task(task, folder, watch, [lock])
        comparison.end_row(task, outcome)


def run_with_ray(comparison: Comparison, ray: Any, tasks: Sequence[Task]) -> None:
    """Trains the rows on the cluster that `ray` is connected to."""
    with comparison.console.status("on Ray") as status:
        run_on_ray(
            ray,
            list(tasks),
            comparison.out,
            comparison.end_row,
            lambda count: status.update(f"on Ray: {count} of {len(tasks)} rows under way or waiting"),
        )


def make_caption(data: PairsDataModule, config: Config, budget: Budget) -> Caption:
    """What holds for all rows; fits the linear floor.

    Args:
        data: Of the comparison.
        config: Of one row.
        budget: Of every row.
    """
    score_after_samples = int(config["model"]["init_args"]["score_after_samples"])
    arguments = config["data"]["init_args"]
    facts = [
        f"{name} {arguments[name]}"
        for name in ("device", "settings", "axes", "dry", "wet", "pairs")
        if arguments.get(name)
    ]
    name = " ".join([config["data"]["class_path"].rpartition(".")[2], ", ".join(facts)]).strip()
    floor = fit_floor(data.split_arrays("train")).esr(data.split_arrays("val"), score_after_samples)
    found = collect_versions(Path.cwd())
    return Caption(
        budget=str(budget),
        data=f"{name}, {data.describe().splitlines()[0].rstrip('.')}, data set {data.dataset_hash[:12]}",
        data_name=name,
        linear_floor=floor,
        score_after_samples=score_after_samples,
        threads=int(config["threads"]),
        versions=", ".join(
            f"{package} {found[package]}" for package in ("tapezoo", "torch") if package in found
        ),
    )


def _parent_run(tracking: Tracking, out: Path, run_id: str | None) -> TrackedRun:
    goes_on = run_id is not None and has_run(tracking, run_id)
    named = replace(tracking, run_name=tracking.run_name or f"compare {out.name}")
    return make_logger(named, out, {}, run_id if goes_on else None)


def _progress(folder: Path, budget: Budget, elapsed_s: float) -> str:
    path = folder / HISTORY
    rows = read_history(path) if path.is_file() else []
    text = f"{elapsed_s // 60:.0f}:{elapsed_s % 60:02.0f} elapsed"
    if rows:
        spent = rows[-1].wall_s if budget.minutes is not None else rows[-1].audio_s
        esr = [row.val_esr for row in rows if row.val_esr is not None]
        share = spent / budget.seconds()
        done = "budget spent, now scored and timed" if share >= 1 else f"{100 * share:.0f} % of the budget"
        text += f"  {done}  epoch {rows[-1].epoch}"
        text += f"  val_esr {esr[-1]:.5f}, best {min(esr):.5f}" if esr else ""
    return text
