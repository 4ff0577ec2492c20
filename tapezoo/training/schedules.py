"""Learning-rate schedules that know how long the training is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Timer
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from tapezoo.errors import TapezooError

# two limits closer than this are taken to end together: a clock must not decide where a count does
TIE = 1e-3


class EndlessTrainingError(TapezooError):
    """A schedule over the whole training, and a training without an end."""


@runtime_checkable
class EndsTraining(Protocol):
    """A callback that ends the training, and knows how much of it is done."""

    def fraction_done(self) -> float:
        """0 at the start, 1 at the end."""


Limit = Callable[[float], float]
"""Epochs done (their fraction included) -> share of the training that is done, by one of its limits."""


class TrainingLength:
    """How much of a training is done, by the limit that ends it first.

    Which one that is, is found anew between epochs; a tie goes to the one named first.

    Args:
        limits: One or more.
    """

    def __init__(self, limits: Sequence[Limit]) -> None:
        self.limits = list(limits)
        self._leading = self.limits[0]

    def start_epoch(self, epochs_done: int) -> float:
        """Chooses the limit that is furthest; what it says, 0 to 1."""
        self._leading = max(self.limits, key=lambda limit: round(limit(epochs_done) / TIE))
        return self.fraction_done(epochs_done)

    def fraction_done(self, epochs_done: float) -> float:
        """0 to 1."""
        return min(max(self._leading(epochs_done), 0.0), 1.0)


def training_length(trainer: Trainer) -> TrainingLength:
    """The limits of `trainer`: max_epochs, max_steps, callbacks that end trainings, max_time.

    Raises:
        EndlessTrainingError: There is none.
    """
    limits: list[Limit] = []
    if (max_epochs := trainer.max_epochs or -1) > 0:
        limits.append(lambda epochs_done: epochs_done / max_epochs)
    if trainer.max_steps > 0:
        limits.append(lambda epochs_done: trainer.global_step / trainer.max_steps)
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    limits += [_by_callback(callback) for callback in callbacks if isinstance(callback, EndsTraining)]
    limits += [
        _by_time(timer)
        for timer in callbacks
        if isinstance(timer, Timer) and timer.time_remaining() is not None
    ]
    if not limits:
        raise EndlessTrainingError(
            "the trainer",
            found="no last epoch and no other end",
            expected="a length, over which CosineDecay lowers the learning rate",
            fix="Set trainer.max_epochs or trainer.max_time, or choose a schedule that needs no end.",
        )
    return TrainingLength(limits)


class CosineDecay(LRScheduler):
    """Half a cosine from the optimizer's rate to `final_ratio` of it, over the whole training.

    Loshchilov, Hutter, "SGDR", ICLR 2017, without restarts. Unlike torch's CosineAnnealingLR it is told how
    much of the training is done, so that it ends with it, whether epochs, time or an amount of audio end it,
    also where a resumed training is longer than it was.

    Args:
        optimizer: Whose rate to set.
        final_ratio: Last rate over first rate, 0 to 1.
    """

    def __init__(self, optimizer: Optimizer, final_ratio: float = 0.0) -> None:
        self.final_ratio = final_ratio
        self.fraction_done = 0.0
        super().__init__(optimizer)

    def reach(self, fraction_done: float) -> None:
        """Sets the rates of this share of the training; EffectModel calls it for the batch to come.

        Args:
            fraction_done: 0 to 1; see `TrainingLength`.
        """
        self.fraction_done = fraction_done
        self._last_lr = self.get_lr()
        for group, rate in zip(self.optimizer.param_groups, self._last_lr, strict=True):
            group["lr"] = rate

    def get_lr(self) -> list[float | Tensor]:
        """The rates at `fraction_done`."""
        ratio = self.final_ratio + (1 - self.final_ratio) * 0.5 * (1 + math.cos(math.pi * self.fraction_done))
        return [rate * ratio for rate in self.base_lrs]


def _by_callback(callback: EndsTraining) -> Limit:
    return lambda epochs_done: callback.fraction_done()


def _by_time(timer: Timer) -> Limit:
    def fraction_done(epochs_done: float) -> float:
        elapsed_s, remaining_s = timer.time_elapsed(), timer.time_remaining() or 0.0
        return elapsed_s / (elapsed_s + remaining_s)

    return fraction_done
