"""The report of a training of many nets: how well each of them was fitted."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from tapezoo.checkpoint import LAST
from tapezoo.layers.weight_table import WeightTable
from tapezoo.measure.cells import cell_errors
from tapezoo.report.cells import cells_table, cells_text, draw_cells
from tapezoo.report.figures import write_png
from tapezoo.report.tables import write_csv
from tapezoo.screen import Screen
from tapezoo.training.cell_levenberg_marquardt import WeightsFollowControls
from tapezoo.training.effect import EffectModel

CELLS = "cells.ckpt"
SAVED_EVERY_S = 60.0


class CellReport(Callback):
    """Leaves cells.csv and cells.png, and says which cells are far off the others; for tables of nets alone.

    It does so when a training ends, and when it is interrupted. An epoch of such a training is long: every minute, and
    when it is interrupted, the nets so far are saved as cells.ckpt, from which `--warm_start` goes on.

    Args:
        run_dir: Of the training; pictures and tables go to its report.
        console: Where the result is shown.
        saved_every_s: Seconds from one cells.ckpt to the next.
    """

    def __init__(self, run_dir: Path, console: Screen, saved_every_s: float = SAVED_EVERY_S) -> None:
        self.folder, self.console = run_dir / "report", console
        self.path, self.saved_every_s = run_dir / CELLS, saved_every_s
        self._saved_at_s = time.monotonic()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock for cells.ckpt."""
        self._saved_at_s = time.monotonic()

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        """Writes cells.ckpt when it is due."""
        if _table_of(pl_module) is not None and time.monotonic() - self._saved_at_s >= self.saved_every_s:
            self._save(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes the files; best.ckpt and last.ckpt have all of cells.ckpt."""
        self._report(pl_module)
        if (self.path.parent / LAST).is_file():
            self.path.unlink(missing_ok=True)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Saves the nets so far, and reports them."""
        weights = _table_of(pl_module)
        if weights is not None and bool(weights.errors.isfinite().any()):
            self._save(trainer)
            self.console.say(f"nets so far  {self.path}: `--warm_start {self.path}` continues from there")
        self._report(pl_module)

    def _save(self, trainer: Trainer) -> None:
        trainer.save_checkpoint(self.path, weights_only=True)
        self._saved_at_s = time.monotonic()

    def _report(self, module: LightningModule) -> None:
        if isinstance(module, EffectModel):
            write_cell_report(module, self.folder, self.console)


def write_cell_report(model: EffectModel, folder: Path, console: Screen) -> None:
    """Writes cells.csv and cells.png, and says what is in them; nothing where the model has no table of nets.

    Args:
        model: With the nets.
        folder: Where the files go; made if there is something to write.
        console: Where it is said.
    """
    weights = _table_of(model)
    if weights is None:
        return
    errors = cell_errors(weights, model.controls)
    if not len(errors.done):
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(cells_table(errors), folder / "cells.csv")
    write_png(draw_cells(errors), folder / "cells.png")
    console.say(f"cells        {cells_text(errors)} (each: {folder / 'cells.csv'}, cells.png)")


def _table_of(module: LightningModule) -> WeightTable | None:
    """The model's table of nets, if it has one over any control."""
    if not isinstance(module, EffectModel) or not isinstance(module.net, WeightsFollowControls):
        return None
    weights = module.net.fitted_weights()
    return weights if isinstance(weights, WeightTable) and weights.shape else None
