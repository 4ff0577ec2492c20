"""A time limit that passes during a validation ends the training there."""

from __future__ import annotations

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Timer


class TimeLimit(Callback):
    """Stops after an epoch when `max_time` is over.

    Lightning's Timer looks at the clock after training batches alone. It would begin one more epoch, whose only batch
    `CosineDecay`, which follows the clock, trains with a learning rate of 0: another validation of the same weights.
    """

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Looks at the clock."""
        timers = [one for one in trainer.callbacks if isinstance(one, Timer)]  # type: ignore[attr-defined]
        left_s = [one.time_remaining() for one in timers]
        if any(one is not None and one <= 0 for one in left_s):
            trainer.should_stop = True
