"""What has ended a training: epochs, updates, time, audio, or a figure that no longer improved."""

from __future__ import annotations

from datetime import timedelta

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import EarlyStopping, Timer

from tapezoo.callbacks.budget import AudioBudget


def reason_of_end(trainer: Trainer) -> str:
    """Why a training is over, in words, with what would let it go on."""
    epochs, planned = trainer.current_epoch, trainer.max_epochs
    if planned not in (None, -1) and epochs >= planned and not _is_cut(trainer):
        return f"all {planned} epochs are done" if planned > 1 else "its only epoch is done"
    if trainer.max_steps != -1 and trainer.global_step >= trainer.max_steps:
        return f"max_steps {trainer.max_steps} is reached"
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, Timer) and (remaining_s := callback.time_remaining()) is not None:
            if remaining_s <= 0:
                limit = timedelta(seconds=round(callback.time_elapsed() + remaining_s))
                return f"max_time {limit} is over; --trainer.max_time null removes that limit"
        elif isinstance(callback, AudioBudget) and callback.fraction_done() >= 1:
            return f"the budget of {callback.audio_seconds:g} s of audio is used up"
        elif isinstance(callback, EarlyStopping) and callback.stopped_epoch:
            return (
                f"early stopping: {callback.monitor} did not improve in {callback.patience} checks in a row"
            )
    return "a callback of the recipe ended it"


def _is_cut(trainer: Trainer) -> bool:
    """Whether the last epoch has fewer batches than an epoch has: Lightning counts it as one all the same."""
    done = trainer.fit_loop.epoch_loop.batch_progress.current.completed
    return 0 < done < trainer.num_training_batches
