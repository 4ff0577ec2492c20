"""The cost and the validation errors of every epoch, in a small table beside the checkpoints."""

from __future__ import annotations

import csv
import math
import time
from pathlib import Path
from typing import Any, NamedTuple

from lightning.pytorch import Callback, LightningModule, Trainer

from tapezoo.staging import replaced_file
from tapezoo.training.trained import TrainedModel

HISTORY = "history.csv"


class Epoch(NamedTuple):
    """One row; everything but the figures of the validation counts from the start of the training."""

    epoch: int  # from 1
    updates: int  # optimizer steps
    audio_s: float  # input trained on, burn-ins included
    train_cpu_s: float  # CPU time of the training steps, of all threads, without validation
    train_wall_s: float  # the same by the clock
    wall_s: float  # by the clock, validation, checkpoints and logging included
    val_esr: float | None  # None: this epoch was not validated
    val_mrstft: float | None  # None: not validated, or no region is long enough


class History(Callback):
    """Writes `history.csv` after every epoch; a resumed training goes on with it.

    Args:
        run_dir: The folder.
    """

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.rows: list[Epoch] = []
        self._audio_s = self._train_cpu_s = self._train_wall_s = self._wall_s = 0.0
        self._cpu_mark_s = self._wall_mark_s = self._start_s = 0.0
        self._training = self._validated = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the overall clock, on top of the time of a resumed training."""
        self._start_s = time.monotonic() - self._wall_s

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clocks of the training steps."""
        self._validated = False
        self._run_clocks()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stops the clocks of the training steps."""
        self._hold_clocks()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clocks again: a validation can come in the middle of an epoch."""
        self._validated = True
        if trainer.state.fn == "fit":
            self._run_clocks()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Counts the audio."""
        self._audio_s += pl_module.seconds_of(batch) if isinstance(pl_module, TrainedModel) else 0.0

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Adds a row and writes the table."""
        self._hold_clocks()
        self._wall_s = time.monotonic() - self._start_s
        metrics = trainer.callback_metrics if self._validated else {}
        # regions too short for a spectral distance have none
        figures = {name: float(value) for name, value in metrics.items() if math.isfinite(value)}
        esr, mrstft = figures.get("val_esr"), figures.get("val_mrstft")
        self.rows.append(
            Epoch(
                trainer.current_epoch + 1,
                trainer.global_step,
                self._audio_s,
                self._train_cpu_s,
                self._train_wall_s,
                self._wall_s,
                esr,
                mrstft,
            )
        )
        if not trainer.fast_dev_run:  # type: ignore[attr-defined]
            write_history(self.run_dir / HISTORY, self.rows)

    def state_dict(self) -> dict[str, Any]:
        """The rows so far, as plain values."""
        return {"rows": [list(row) for row in self.rows]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continues after the saved rows."""
        self.rows = [Epoch(*row) for row in state_dict["rows"]]
        if self.rows:
            last = self.rows[-1]
            self._audio_s, self._wall_s = last.audio_s, last.wall_s
            self._train_cpu_s, self._train_wall_s = last.train_cpu_s, last.train_wall_s

    def _run_clocks(self) -> None:
        self._training = True
        self._cpu_mark_s, self._wall_mark_s = time.process_time(), time.monotonic()

    def _hold_clocks(self) -> None:
        if self._training:
            self._train_cpu_s += time.process_time() - self._cpu_mark_s
            self._train_wall_s += time.monotonic() - self._wall_mark_s
        self._training = False


def write_history(path: Path, rows: list[Epoch]) -> None:
    """Writes the table as a whole, so that a concurrent reader never sees a part."""
    with replaced_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(Epoch._fields)
        for row in rows:
            cells = (f"{value:.6g}" if isinstance(value, float) else value for value in row)
            writer.writerow(["" if cell is None else cell for cell in cells])


def read_history(path: Path) -> list[Epoch]:
    """The rows of a `history.csv`."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Epoch(
                int(row["epoch"]),
                int(row["updates"]),
                *(float(row[name]) for name in ("audio_s", "train_cpu_s", "train_wall_s", "wall_s")),
                *(float(row[name]) if row[name] else None for name in ("val_esr", "val_mrstft")),
            )
            for row in csv.DictReader(file)
        ]
