"""Ends a training after an amount of audio, which is the same on a fast machine and a slow one."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from tapezoo.training.errors import TrainingError
from tapezoo.training.trained import TrainedModel


class AudioBudget(Callback):
    """Ends the training after `audio_seconds` of input, burn-ins and repetitions included.

    In a recipe, under `trainer.callbacks`, together with `max_epochs: -1`:
    `class_path: tapezoo.callbacks.AudioBudget`. CosineDecay ends with it.

    Args:
        audio_seconds: Number of rows times their length in s, above 0.
    """

    def __init__(self, audio_seconds: float) -> None:
        if not 0 < audio_seconds < float("inf"):
            raise TrainingError(
                "AudioBudget.audio_seconds", found=f"{audio_seconds:g}", expected="above 0", fix="Correct it."
            )
        self.audio_seconds = audio_seconds
        self.trained_s = 0.0

    def fraction_done(self) -> float:
        """0 at the start, 1 at the end."""
        return self.trained_s / self.audio_seconds

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ends a resumed training that has used its budget already."""
        self._end_if_spent(trainer)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Adds the batch's audio, and ends the training once the budget is used."""
        self.trained_s += pl_module.seconds_of(batch) if isinstance(pl_module, TrainedModel) else 0.0
        self._end_if_spent(trainer)

    def state_dict(self) -> dict[str, Any]:
        """The audio trained on so far."""
        return {"trained_s": self.trained_s}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continues the count of a resumed training."""
        self.trained_s = state_dict["trained_s"]

    def _end_if_spent(self, trainer: Trainer) -> None:
        trainer.should_stop = trainer.should_stop or self.fraction_done() >= 1.0
