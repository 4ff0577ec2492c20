"""What `tapezoo test` says of the metrics of the whole split."""

from __future__ import annotations

from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer

from tapezoo.measure.metric_units import metrics_text
from tapezoo.report.metrics import metrics_table
from tapezoo.report.tables import write_csv
from tapezoo.screen import Screen
from tapezoo.training.effect import EffectModel

FILE = "test_metrics.csv"


class MetricTable(Callback):
    """Prints and writes every metric that the model was asked for.

    Args:
        folder: Where `test_metrics.csv` goes.
        console: Where they are shown.
    """

    def __init__(self, folder: Path, console: Screen) -> None:
        self.folder, self.console = folder, console

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Says which metrics the test split is too short for: they get no figure."""
        if isinstance(pl_module, EffectModel):
            self.console.say(*map(str, pl_module.unmeasured("test")))

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes and shows them."""
        if not isinstance(pl_module, EffectModel):
            return
        figures = trainer.callback_metrics
        values = {
            name: float(figures[f"test_{name}"])
            for name in pl_module.metric_names()
            if f"test_{name}" in figures
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        write_csv(metrics_table(values), self.folder / FILE)
        self.console.say(f"over the whole split: {metrics_text(values)}")
