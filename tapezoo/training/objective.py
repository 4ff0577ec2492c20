"""The contract of every objective: how a net is trained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

from torch import Tensor, nn

from tapezoo.data.batch import Batch
from tapezoo.net import Net


@dataclass(frozen=True)
class Progress:
    """How far a training has progressed, for stages and for weights that change over time.

    Args:
        epoch: The current epoch, counted from 0.
        measure: See `fraction_done`.
    """

    epoch: int
    measure: Callable[[], float]

    @property
    def fraction_done(self) -> float:
        """0 at the start of the training, 1 at its end.

        Raises:
            TrainingError: Nothing ends the training.
        """
        return self.measure()


class Update(Protocol):
    """One optimizer step: clears the gradients, backpropagates `loss`, clips, steps."""

    def __call__(self, loss: Tensor, name: str = "net", clip_norm: float | None = None) -> None:
        """Updates the parameters that `Objective.optimized_parameters` calls `name`.

        Args:
            loss: Scalar.
            name: Which optimizer.
            clip_norm: Largest norm of the gradient of its parameters; None: unlimited.
        """


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


class Objective(nn.Module, ABC):
    """How a net is trained: the step, the losses, further trained parameters, and the monitored metric.

    `EffectModel` owns the net, makes the optimizers that the objective asks for, and calls it from Lightning's hooks.
    Modules and buffers of an objective are saved in checkpoints, so that a training resumes with them; a
    trained net can be loaded without them.
    """

    monitor: str = "val_esr"
    """The figure that selects the best checkpoint: `val_` plus the name of a metric, which is then computed, or a
    name that `validation_losses` returns."""
    mode: Literal["min", "max"] = "min"
    """Whether a lower or a higher figure is better."""
    reads_delay: ClassVar[bool] = False
    """Whether `step` applies `Batch.delay` to the output before comparing it with the target. Those that do not are
    refused if the data give a delay."""

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

    def progress_text(self, net: Net) -> str | None:
        """Text to show during an epoch, beside the progress; None: nothing.

        For objectives with long epochs, or with information that is not a figure of one batch.
        """
        return None
