"""What every training has in common: an objective, its optimizers and schedules, and what a checkpoint says."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.cli import ReduceLROnPlateau as MonitoringPlateau
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from tapezoo.training.aim import Aim, Progress
from tapezoo.training.errors import NonFiniteLossError, TrainingError
from tapezoo.training.length import TrainingLength, training_length
from tapezoo.training.schedules import CosineDecay


class TrainedModel(LightningModule):
    """A net that an objective trains: an effect (`EffectModel`), or one that makes a random signal (`GeneratorModel`).

    A subclass sets `net`, and says in `train_on` what its objective makes of a batch.

    Args:
        objective: How the net is trained.
        optimizer: Made once for each set of parameters that the objective trains.
        lr_scheduler: Made for each optimizer. It is stepped after every epoch, torch's ReduceLROnPlateau with the
            objective's monitored metric, CosineDecay after every batch.
    """

    net: nn.Module
    objective: Aim
    provenance: dict[str, str]
    """Where the weights come from (data set hash, versions); RunRecorder sets it, checkpoints store it."""
    watched: tuple[str, ...] = ()
    """Figures of the validation that end a training when they are not finite, beside the monitored one."""
    _length: TrainingLength
    _optimized: list[str]

    def __init__(
        self,
        objective: Aim,
        optimizer: OptimizerCallable = torch.optim.Adam,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        super().__init__()
        # several optimizer steps per batch
        self.automatic_optimization = False
        self.provenance = {}
        self.objective = objective
        self.make_optimizer = optimizer
        self.make_lr_scheduler = lr_scheduler

    @abstractmethod
    def train_on(self, batch: Any, progress: Progress) -> dict[str, Tensor]:
        """One pass of the objective over a batch; scalars to log, one of them "train_loss"."""

    @abstractmethod
    def seconds_of(self, batch: Any) -> float:
        """Length of all rows of a batch together, s."""

    def metric_names(self) -> list[str]:
        """Of all metrics that validation and test measure."""
        return []

    def make_optimizer_of(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """The recipe's optimizer for one set of parameters."""
        return self.make_optimizer(parameters)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """One pass of the objective over a batch, all figures finite."""
        progress = Progress(
            self.current_epoch, lambda: self._length.fraction_done(self._epochs_done(batch_idx))
        )
        losses = self.train_on(batch, progress)
        for name, loss in losses.items():
            if not torch.isfinite(loss):
                where = f"training, epoch {self.current_epoch}, batch {batch_idx}"
                raise _non_finite(where, f"a {name.removeprefix('train_')} of {float(loss)}")
            self.log(
                name,
                loss,
                on_step=False,
                on_epoch=True,
                prog_bar=name == "train_loss",
                batch_size=len(batch[0]),
            )
        return losses["train_loss"]

    def on_train_epoch_end(self) -> None:
        """Steps the schedulers, since optimization is manual; stops the training before a broken net is saved."""
        for name in (*self.watched, self.objective.monitor):
            figure = self._figure(name)
            if figure is not None and not torch.isfinite(figure):
                raise _non_finite(f"validation, epoch {self.current_epoch}", f"a {name} of {float(figure)}")
        self._length.choose_limit(self.current_epoch + 1)
        for scheduler in self._schedulers():
            if isinstance(scheduler, ReduceLROnPlateau):
                own = scheduler.monitor if isinstance(scheduler, MonitoringPlateau) else None
                figure = self._figure(own or self.objective.monitor)
                if figure is not None:
                    scheduler.step(figure)
            elif isinstance(scheduler, CosineDecay):
                scheduler.reach(self._length.fraction_done(self.current_epoch + 1))
            else:
                scheduler.step()

    def configure_optimizers(self) -> Any:
        """An optimizer of the recipe for each set of parameters that the objective trains, and their schedulers."""
        sets = self.objective.optimized_parameters(self.net)
        self._optimized = list(sets)
        optimizers = [self.make_optimizer_of(parameters) for parameters in sets.values()]
        if self.make_lr_scheduler is None:
            return optimizers
        return optimizers, [self.make_lr_scheduler(optimizer) for optimizer in optimizers]

    def on_train_start(self) -> None:
        """Determines which limit ends the training, and how far a resumed one has got."""
        self._length = training_length(self.trainer)
        self._length.choose_limit(self.current_epoch)
        self._move_cosines(self.current_epoch)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Advances the schedules that span the whole training."""
        self._move_cosines(self._epochs_done(batch_idx + 1))

    def _epochs_done(self, batches: int) -> float:
        """After so many batches of the epoch."""
        return self.current_epoch + batches / self.trainer.num_training_batches

    def _move_cosines(self, epochs_done: float) -> None:
        for scheduler in self._schedulers():
            if isinstance(scheduler, CosineDecay):
                scheduler.reach(self._length.fraction_done(epochs_done))

    def _schedulers(self) -> list[LRScheduler | ReduceLROnPlateau]:
        found = self.lr_schedulers()
        return found if isinstance(found, list) else [] if found is None else [found]

    def _update(self, loss: Tensor, name: str = "net", clip_norm: float | None = None) -> None:
        """See `Update`."""
        optimizers = self.optimizers()
        optimizers = optimizers if isinstance(optimizers, list) else [optimizers]
        optimizer = optimizers[self._optimized.index(name)]
        optimizer.zero_grad()
        self.manual_backward(loss)
        if clip_norm is not None:
            parameters = [each for group in optimizer.param_groups for each in group["params"]]
            torch.nn.utils.clip_grad_norm_(parameters, clip_norm)
        optimizer.step()

    def _figure(self, name: str) -> Tensor | None:
        """A figure of the last validation; None before the first one."""
        figures: Mapping[str, Tensor] = self.trainer.callback_metrics
        if name not in figures and any(measured.startswith("val_") for measured in figures):
            raise TrainingError(
                "the monitor",
                found=f"{name}, which validation does not measure",
                expected=f"one of {', '.join(sorted(figures))}",
                fix="Correct it in the recipe or in the objective, or ask for a metric: --model.metrics '[NAME]'.",
            )
        return figures.get(name)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Stores what `tapezoo.checkpoint` needs to rebuild this model.

        Lightning's own copy of the arguments is dropped: LightningCLI would merge it into the recipe of a resumed
        training and override that recipe.
        """
        arguments = checkpoint.pop("hyper_parameters", {})
        checkpoint["tapezoo"] = stored(self, arguments, self._finite_metrics(), self.provenance)

    def _finite_metrics(self) -> dict[str, float]:
        metrics: Mapping[str, Tensor] = self.trainer.callback_metrics
        return {name: float(value) for name, value in metrics.items() if torch.isfinite(value)}


def stored(
    model: TrainedModel, arguments: Mapping[str, Any], metrics: dict[str, float], provenance: dict[str, str]
) -> dict[str, Any]:
    """What a checkpoint says of the model that it holds, for `tapezoo.checkpoint`.

    Args:
        model: The model.
        arguments: Of its constructor, as plain values; those of Lightning begin with "_" and are left out.
        metrics: Of its last validation, finite.
        provenance: Where the weights come from.
    """
    return {
        "architecture": type(model).__name__,
        "arguments": {name: value for name, value in arguments.items() if not name.startswith("_")},
        "metrics": metrics,
        "monitor": model.objective.monitor,
        "mode": model.objective.mode,
        "provenance": provenance,
    }


def _non_finite(where: str, found: str) -> NonFiniteLossError:
    return NonFiniteLossError(
        where,
        found=found,
        expected="a finite one",
        fix="Lower the learning rate or gradient_clip_norm and start again; the best checkpoint so far is kept.",
    )
