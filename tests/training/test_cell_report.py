"""What is left and said of a table of nets: which cells are done, and which are far off."""

import contextlib
import csv
import io

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, Trainer
from test_effect import Fixed, trainer

from tapezoo import testing
from tapezoo.callbacks import CellReport, Progress
from tapezoo.checkpoint import load_model
from tapezoo.controls import Control
from tapezoo.data.batch import Batch
from tapezoo.measure.cells import CellErrors
from tapezoo.models.stn_grid import STNGrid
from tapezoo.report.cells import draw_cells
from tapezoo.screen import Screen
from tapezoo.training import CellLevenbergMarquardt


def table():
    torch.manual_seed(0)
    model = STNGrid(
        axes=[3, 2], size="1x2", controls=testing.CONTROLS[:2], objective=CellLevenbergMarquardt(workers=1)
    )
    model.net.by_controls.errors.copy_(torch.tensor([0.01, 0.02, 0.01, 0.5, 0.01, torch.inf]))
    return model


class Interrupted(Callback):
    """Ctrl-C in the middle of an epoch."""

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        raise KeyboardInterrupt


def fit(tmp_path, said, *callbacks, saved_every_s=60.0):
    """One epoch of two batches, which fits nothing: the table's errors are known."""
    model = table()
    model.objective.step = lambda step: {"train_loss": torch.tensor(0.1)}
    report = CellReport(tmp_path, Screen(file=said, force_terminal=False, width=500), saved_every_s)
    run = trainer(max_epochs=1, limit_val_batches=0, callbacks=[report, *callbacks])
    input = torch.zeros(1, 1, 50)
    batch = Batch(input, input, torch.zeros(1, 2), torch.full((1,), 50), ["row"])
    with contextlib.suppress(KeyboardInterrupt, SystemExit):
        run.fit(model, datamodule=Fixed([batch, batch]))
    return model


@pytest.mark.parametrize("callbacks", [[], [Interrupted()]], ids=["ended", "interrupted"])
def test_every_cell_has_a_row_and_those_with_much_larger_errors_are_named(callbacks, tmp_path):
    said = io.StringIO()
    fit(tmp_path, said, *callbacks)
    first, second = (Control(**control) for control in testing.CONTROLS[:2])
    named = f"{first.name}={first.denormalize(0.5):.4g}"
    assert "5 of 6 cells fitted" in said.getvalue()
    assert f"1 with much larger errors: {named}" in said.getvalue()
    with (tmp_path / "report" / "cells.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert float(rows[3]["missed"]) == 0.5
    assert float(rows[3][first.name]) == first.denormalize(0.5)
    assert float(rows[3][second.name]) == second.denormalize(1.0)
    assert rows[5]["missed"] == ""
    assert (tmp_path / "report" / "cells.png").is_file()


def test_nets_that_are_done_outlive_an_epoch_that_is_interrupted(tmp_path):
    said = io.StringIO()
    model = fit(tmp_path, said, Interrupted())
    assert f"--warm_start {tmp_path / 'cells.ckpt'}" in said.getvalue()
    kept = load_model(tmp_path / "cells.ckpt").net.by_controls
    torch.testing.assert_close(kept.errors, model.net.by_controls.errors)
    torch.testing.assert_close(kept.nets, model.net.by_controls.nets)


def test_nets_are_saved_while_an_epoch_is_under_way(tmp_path):
    fit(tmp_path, io.StringIO(), saved_every_s=0.0)
    assert (tmp_path / "cells.ckpt").is_file()
    (tmp_path / "last.ckpt").touch()
    fit(tmp_path, io.StringIO(), saved_every_s=0.0)
    assert not (tmp_path / "cells.ckpt").exists()  # last.ckpt has all of it


@pytest.mark.parametrize("shape", [(4,), (3, 2), (2, 3, 2)])
def test_a_grid_of_one_to_three_axes_has_a_picture(shape):
    missed = np.full(shape, 0.1)
    missed.flat[0] = np.inf
    errors = CellErrors(tuple(Control(f"c{axis}") for axis in range(len(shape))), missed)
    pairs = {1: 1, 2: 1, 3: 3}[len(shape)]
    panels = [axes for axes in draw_cells(errors).axes if axes.get_xlabel()]
    assert len(panels) == pairs


def test_progress_tells_of_cells_in_the_middle_of_an_epoch():
    text = io.StringIO()
    progress = Progress(Screen(file=text, force_terminal=False), line_interval_s=0.0)
    trainer = Trainer(accelerator="cpu", logger=False, max_epochs=1)
    progress.on_train_batch_end(trainer, table(), None, None, 0)
    assert "cells 5 of 6  missed 0.01 (median), 0.5 (worst)" in text.getvalue()
