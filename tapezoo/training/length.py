"""The length of a training, whichever limit ends it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Timer

from tapezoo.training.errors import TrainingError

# limits closer than this count as a tie, so that the clock does not decide where a count can
TIE = 1e-3


@runtime_checkable
class EndsTraining(Protocol):
    """A callback that ends the training, and can report what share of it is done."""

    def fraction_done(self) -> float:
        """0 at the start, 1 at the end."""


Limit = Callable[[float], float]
"""Epochs done (including fractions) -> share of the training done, by one of its limits."""


class TrainingLength:
    """The share of a training that is done, by the limit that ends it first.

    Args:
        limits: The limits; if empty, the training has no end.
    """

    def __init__(self, limits: Sequence[Limit]) -> None:
        self.limits = list(limits)
        self._leading = self.limits[0] if limits else _endless

    def choose_limit(self, epochs_done: int) -> None:
        """Chooses the limit that is furthest along; called between epochs, as it can change. The first wins a tie."""
        if self.limits:
            self._leading = max(self.limits, key=lambda limit: round(limit(epochs_done) / TIE))

    def fraction_done(self, epochs_done: float) -> float:
        """0 to 1, by the limit chosen last.

        Raises:
            TrainingError: Nothing ends the training.
        """
        return min(max(self._leading(epochs_done), 0.0), 1.0)


def training_length(trainer: Trainer) -> TrainingLength:
    """The limits of `trainer`: max_epochs, max_steps, callbacks that end trainings, max_time."""
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
    return TrainingLength(limits)


def _endless(epochs_done: float) -> float:
    raise TrainingError(
        "the trainer",
        found="no max_epochs and no other end",
        expected="a length, over which CosineDecay lowers the learning rate or an objective changes its loss",
        fix=(
            "Set trainer.max_epochs or trainer.max_time, or choose a schedule and an objective that do not need a "
            "length."
        ),
    )


def _by_callback(callback: EndsTraining) -> Limit:
    return lambda epochs_done: callback.fraction_done()


def _by_time(timer: Timer) -> Limit:
    def fraction_done(epochs_done: float) -> float:
        elapsed_s, remaining_s = timer.time_elapsed(), timer.time_remaining() or 0.0
        return elapsed_s / (elapsed_s + remaining_s)

    return fraction_done
