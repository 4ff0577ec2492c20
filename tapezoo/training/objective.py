"""The contract of every objective of an effect: how a net is trained."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from tapezoo.data.batch import Batch
from tapezoo.net import Net
from tapezoo.training.aim import Aim
from tapezoo.training.aim import Progress as Progress
from tapezoo.training.aim import Update as Update


@dataclass(frozen=True)
class Step:
    """What an objective receives for one training step.

    Args:
        net: The net to train.
        batch: Segments of paired audio.
        burn_in_samples: Unscored samples at the start of every segment.
        progress: How far the training has progressed.
        update: Makes an optimizer step; may be called any number of times per batch.
    """

    net: Net
    batch: Batch
    burn_in_samples: int
    progress: Progress
    update: Update


class Objective(Aim):
    """How an effect's net is trained: the step, the losses, further trained parameters, and the monitored metric.

    `EffectModel` owns the net, makes the optimizers that the objective asks for, and calls it from Lightning's hooks.
    """

    monitor: str = "val_esr"
    """The figure that selects the best checkpoint: `val_` plus the name of a metric, which is then computed, or a
    name that `validation_losses` returns."""
    reads_delay: ClassVar[bool] = False
    """Whether `step` applies `Batch.delay` to the output before comparing it with the target. Those that do not are
    refused if the data give a delay."""

    def begin(self, model: Any) -> None:
        """Makes what else is trained, if that depends on the model; called once, when its net has been built.

        Args:
            model: The `EffectModel`. One with a constructor of its own does not call this.
        """

    def optimized_parameters(self, net: Net) -> dict[str, Iterable[nn.Parameter]]:
        """Name -> parameters, one optimizer for each name; called before the data are read, and may refuse the net."""
        return {"net": net.parameters()}

    @abstractmethod
    def step(self, step: Step) -> dict[str, Tensor]:
        """Trains on one batch.

        Returns:
            Scalars to log, averaged over the epoch; one of them is "train_loss".
        """

    @abstractmethod
    def validation_losses(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Scalars of one row of the validation, (1, 1, samples) twice, to be averaged by length.

        One of them is "val_loss", which should mean the same in every epoch; it is absent for a row that is too short
        for the loss.
        """
