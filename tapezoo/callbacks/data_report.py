"""What is said about the data before the first epoch: findings, and the linear floor."""

from __future__ import annotations

import math
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from tapezoo.data.least_squares import LINEAR_FLOOR_TAPS
from tapezoo.measure.floor import fit_floor
from tapezoo.screen import Screen


class DataReport(Callback):
    """Shows what the checks saw, and fits the linear floor (`tapezoo.measure.floor`), scored on validation.

    `linear_floor` holds it afterwards.

    Args:
        console: Where to show it.
    """

    def __init__(self, console: Screen) -> None:
        self.console = console
        self.linear_floor = math.nan

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Describes, fits and logs `linear_floor`."""
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        self._say(data.describe())
        floor = fit_floor(data.split_arrays("train"))
        self.linear_floor = floor.esr(data.split_arrays("val"), data.burn_in_samples)
        each = f" of each of the {len(floor.filters)} settings" if len(floor.filters) > 1 else ""
        self._say(
            f"linear floor: the best {LINEAR_FLOOR_TAPS}-tap filter{each} reaches a val_esr of "
            f"{self.linear_floor:.5f}"
        )
        for logger in trainer.loggers:
            logger.log_metrics({"linear_floor": self.linear_floor}, step=0)

    def _say(self, text: str) -> None:
        self.console.say(*text.splitlines())
