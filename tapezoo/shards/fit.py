"""Trains a grid in shards: what each shard starts from, how far all are, and what is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tapezoo.errors import TapezooError
from tapezoo.jobs.folder import is_finished, read_outcome
from tapezoo.jobs.settings import Config
from tapezoo.jobs.task import JobFailure, Task
from tapezoo.measure.comparison import Outcome
from tapezoo.report.tables import Cell, Column, Table, write_csv
from tapezoo.screen import Screen
from tapezoo.shards.merge import Merged, checkpoint_of, merge_shards, table_of

NOTE, KEY = "grid.json", "shards"
SHARDS_CSV = "shards.csv"

Engine = Callable[[Sequence[Task], Callable[[Task, Outcome], None], Callable[[int], None]], None]
"""Trains tasks; calls the first with each that ends, and the second with the number under way or waiting."""


@dataclass(frozen=True)
class Shard(Task):
    """Some cells of a grid."""

    kind: ClassVar[str] = "grid fit"
    tries: ClassVar[int] = (
        2  # the cause of a killed worker is often temporary, such as another process that needed its memory
    )

    def measure(self, folder: Path) -> None:
        """See `Task.measure`: no figures, but there must be cells."""
        try:
            merge_shards([checkpoint_of(folder)])
        except TapezooError as error:
            raise JobFailure(f"no cells were trained: {error}") from error


class GridFit:
    """The shards of one grid, under way.

    Args:
        out: Their folder, which exists.
        shards: What `fit` gets, by name, in the order of the cells.
        order: Their numbers, the one first that is trained first.
        arguments: Further arguments of `fit`.
        start: What the first shard starts from, content of a checkpoint; None: from nothing.
        console: Where progress is shown.
    """

    def __init__(
        self,
        out: Path,
        shards: Mapping[str, Config],
        order: Sequence[int],
        arguments: tuple[str, ...],
        start: bytes | None,
        console: Screen,
    ) -> None:
        names = list(shards)
        self.out, self.shards, self.console = out, shards, console
        self.order = [names[number] for number in order]
        self.arguments, self.start = arguments, start
        self.missed: dict[str, NDArray[np.float64]] = {}
        self._began_s, self._ended = time.monotonic(), 0
        for name in self.finished():
            self._read(name)

    def finished(self) -> list[str]:
        """Names of the shards with nothing left to do."""
        return [name for name in self.shards if is_finished(self.out / name)]

    def train(self, engine: Engine) -> None:
        """Trains what is not finished: one shard alone until one is done, all others from what is done then.

        Raises:
            KeyboardInterrupt: After the trainings have stopped.
        """
        waiting = [name for name in self.order if not is_finished(self.out / name)]
        if self.missed and waiting:
            self.console.say(f"continuing: {self.text()}")
        while waiting and not self.missed:
            self._run(engine, [self._task(waiting.pop(0), self.start)])
        if waiting:
            known = self.merged().as_bytes()
            self._run(engine, [self._task(name, known) for name in waiting])

    def merged(self) -> Merged:
        """The nets of all shards that are finished. Raises ShardError if none is."""
        return merge_shards([checkpoint_of(self.out / name) for name in self.finished()])

    def text(self) -> str:
        """How far all shards are together."""
        text = f"{len(self.missed)} of {len(self.shards)} shards"
        if self.missed:
            errors = np.min(list(self.missed.values()), axis=0)
            done = errors[np.isfinite(errors)]
            text += (
                f", {len(done)} of {len(errors)} cells; they missed {np.median(done):.3g} of the energy of their rows "
                f"(median), {done.max():.3g} (worst)"
            )
        if self._ended and len(self.missed) < len(self.shards):
            left_s = (time.monotonic() - self._began_s) / self._ended * (len(self.shards) - len(self.missed))
            text += f"; about {max(1, round(left_s / 60))} min left"
        return text

    def write_report(self) -> list[tuple[str, Outcome]]:
        """Writes how every shard stands to shards.csv; those that are not finished."""
        outcomes = {name: read_outcome(self.out / name) or Outcome("waiting") for name in self.shards}
        rows: list[list[Cell]] = []
        for name, outcome in outcomes.items():
            done = self.missed[name][np.isfinite(self.missed[name])] if name in self.missed else None
            figures: list[Cell] = (
                [None, None] if done is None else [float(np.median(done)), float(done.max())]
            )
            rows.append([name, outcome.status, *figures, outcome.reason])
        columns = [
            Column("shard", "shard"),
            Column("status", "status"),
            Column("missed_median", "median error of the cells so far", ".5f", is_number=True),
            Column("missed_worst", "worst", ".5f", is_number=True),
            Column("note", "note"),
        ]
        write_csv(Table(columns, rows), self.out / SHARDS_CSV)
        return [(name, outcome) for name, outcome in outcomes.items() if outcome.status != "finished"]

    def _task(self, name: str, start: bytes | None) -> Shard:
        return Shard(name, self.shards[name], self.arguments, start)

    def _run(self, engine: Engine, tasks: Sequence[Task]) -> None:
        with self.console.status("starting") as status:
            engine(
                tasks,
                self._end_shard,
                lambda count: status.update(f"{count} shards under way or waiting; {self.text()}"),
            )

    def _end_shard(self, task: Task, outcome: Outcome) -> None:
        if outcome.status == "finished":
            self._read(task.name)
        self._ended += 1
        self.console.say(
            f"{task.name}: {outcome.status}{outcome.reason and f', {outcome.reason}'} ({self.text()})"
        )
        self.write_report()

    def _read(self, name: str) -> None:
        path = checkpoint_of(self.out / name)
        self.missed[name] = table_of(merge_shards([path]).model, path).errors.double().numpy()
