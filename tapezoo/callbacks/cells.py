"""What a training of many nets leaves beside its checkpoints: how well each of them was fitted."""

from __future__ import annotations

from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer

from tapezoo.layers.transition_weights import WeightTable
from tapezoo.measure.cells import cell_errors
from tapezoo.report.cells import cells_table, cells_text, draw_cells
from tapezoo.report.figures import write_png
from tapezoo.report.tables import write_csv
from tapezoo.screen import Screen
from tapezoo.training.cell_levenberg_marquardt import WeightsFollowControls
from tapezoo.training.effect import EffectModel


class CellReport(Callback):
    """Leaves cells.csv and cells.png, and says which cells are far off the others; for tables of nets alone.

    It does so when a training ends, and when it is interrupted.

    Args:
        folder: Where the files go.
        console: Where it is said.
    """

    def __init__(self, folder: Path, console: Screen) -> None:
        self.folder, self.console = folder, console

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes the files."""
        self._report(pl_module)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Writes what there is."""
        self._report(pl_module)

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
    if not isinstance(model.net, WeightsFollowControls):
        return
    weights = model.net.by_controls
    if not isinstance(weights, WeightTable) or not weights.shape:
        return
    errors = cell_errors(weights, model.controls)
    if not len(errors.done):
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(cells_table(errors), folder / "cells.csv")
    write_png(draw_cells(errors), folder / "cells.png")
    console.say(f"cells        {cells_text(errors)} (each: {folder / 'cells.csv'}, cells.png)")
