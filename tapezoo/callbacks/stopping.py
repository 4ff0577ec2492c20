"""Ctrl-C that was lost in the middle of a batch is answered at its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer


class StopAfterBatch(Callback):
    """Calls a function after every batch, of training and of validation.

    Args:
        raise_again: Raises what a signal asked for and the batch did not end on; nothing where no signal came.
    """

    def __init__(self, raise_again: Callable[[], None]) -> None:
        self.raise_again = raise_again

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Asks."""
        self.raise_again()

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Asks."""
        self.raise_again()
