"""How steady the net is, in every epoch that may become the best."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from tapezoo.callbacks.checkpointing import best_and_last
from tapezoo.measure.steadiness import Steadiness, measure_steadiness
from tapezoo.measure.unlike import Material, choose_material
from tapezoo.training.effect import EffectModel

EVERY_EPOCHS = 10


class SteadinessCheck(Callback):
    """Logs `val_steadiness` and its parts, by which `BestAndLast` keeps no unsteady net where a steady one is.

    Measured where it decides something, in epochs that beat the best or could take the place of an unsteady one, and
    every so many epochs besides. Stands before the callbacks that show its figure.

    Args:
        every_epochs: How often it is measured where it decides nothing, 1 or more.
    """

    def __init__(self, every_epochs: int = EVERY_EPOCHS) -> None:
        self.every_epochs = every_epochs
        self.refused = 0
        """Number of epochs that would have been the best but were not steady."""
        self._material: Material | None = None
        self._is_validated = False

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Chooses the material to play."""
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        self._material = choose_material(data.split_arrays("val"), data.sample_rate)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forgets the figures of the last epoch: they must not stand in this one's checkpoint."""
        self._is_validated = False
        for name in Steadiness(0, 0, 0, 0).metrics():
            trainer.callback_metrics.pop(name, None)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes that the epoch has a score."""
        self._is_validated = not trainer.sanity_checking

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measures the steadiness if it decides something or is due, and logs it."""
        is_trial = trainer.fast_dev_run  # type: ignore[attr-defined]
        kept = best_and_last(trainer)
        if (
            not self._is_validated
            or self._material is None
            or is_trial
            or not isinstance(pl_module, EffectModel)
        ):
            return
        matters = kept is not None and kept.may_take(trainer)
        if not matters and (trainer.current_epoch + 1) % self.every_epochs:
            return
        found = measure_steadiness(pl_module.net, self._material)
        pl_module.log_dict(found.metrics())
        if kept is not None and kept.beats_best(trainer) and not kept.takes(trainer):
            self.refused += 1

    def state_dict(self) -> dict[str, Any]:
        """The counts that a resumed training continues."""
        return {"refused": self.refused}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continues the saved counts."""
        self.refused = int(state_dict["refused"])


def steadiness_check(trainer: Trainer) -> SteadinessCheck | None:
    """The trainer's `SteadinessCheck`; None: it has none."""
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
    return next((found for found in callbacks if isinstance(found, SteadinessCheck)), None)
