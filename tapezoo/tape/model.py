"""The LightningModule around a generator: its objective, its weights averaged over the training, and its figures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from tapezoo.tape.denoising import Denoising, GenerativeObjective
from tapezoo.tape.errors import TapeError
from tapezoo.tape.generator import Generator, make_loop
from tapezoo.tape.lines import Quantity
from tapezoo.training.aim import Progress
from tapezoo.training.trained import TrainedModel

OF_THE_TRAINING = ("generator", "objective", "optimizer", "lr_scheduler", "ema_decay")


AVERAGED = "averaged.module."  # begins the names of the mean's weights in a checkpoint


class GeneratorModel(TrainedModel):
    """Trains a generator on windows of the signal that it is to make.

    A subclass has a constructor with the generator's arguments, hands the ones below on, and sets `self.generator`.
    What plays, and is validated, is the mean of its weights over the last updates.

    Args:
        generator: What is trained.
        rate_hz: Points per second; declared by the data.
        quantity: What the signal is; declared by the data.
        objective: How the generator is trained.
        optimizer: See `TrainedModel`.
        lr_scheduler: See `TrainedModel`.
        ema_decay: What remains of the mean of the weights after an update, 0 to 1; 0: the last weights.

    Raises:
        TapeError: A decay out of its range.
    """

    net: Generator
    objective: GenerativeObjective

    def __init__(
        self,
        generator: Generator,
        rate_hz: int,
        quantity: Quantity,
        objective: GenerativeObjective | None = None,
        optimizer: OptimizerCallable = torch.optim.Adam,
        lr_scheduler: LRSchedulerCallable | None = None,
        ema_decay: float = 0.999,
    ) -> None:
        super().__init__(objective or Denoising(), optimizer, lr_scheduler)
        self.save_hyperparameters(ignore=OF_THE_TRAINING, logger=False)
        if not 0 <= ema_decay < 1:
            raise TapeError(
                "--model.ema_decay", found=f"{ema_decay:g}", expected="0 or more, below 1", fix="Correct it."
            )
        self.rate_hz, self.quantity = rate_hz, quantity
        self.net = generator
        self.averaged = AveragedModel(generator, multi_avg_fn=_mean_of_the_last(ema_decay))

    @property
    def playing(self) -> Generator:
        """The generator with the mean of its weights."""
        averaged = self.averaged.module
        assert isinstance(averaged, Generator)
        return averaged

    def loop(self, seconds: float, seed: int) -> Tensor:
        """A signal that begins anew without a seam where it ends, (seconds * rate_hz,), in its unit.

        Args:
            seconds: Length, two windows at least.
            seed: See `Generator.initial_state`.

        Raises:
            TapeError: Too short.
        """
        least_s = 2 * self.playing.window_points / self.rate_hz
        if round(seconds * self.rate_hz) < 2 * self.playing.window_points:
            raise TapeError(
                f"a loop by {type(self).__name__}",
                found=f"{seconds:g} s",
                expected=f"{least_s:.3g} s at least, two of its windows",
                fix="Ask for a longer one (--seconds).",
            )
        return make_loop(self.playing, round(seconds * self.rate_hz), seed)

    def on_fit_start(self) -> None:
        """Takes the signal's scale and lines from the data; the mean of the weights begins where they do."""
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        self.net.scale.fill_(float(data.scale))
        self.net.set_lines(data.lines, data.rate_hz)
        if not self.averaged.n_averaged:
            self.playing.load_state_dict(self.net.state_dict())

    def train_on(self, batch: Tensor, progress: Progress) -> dict[str, Tensor]:
        """See `TrainedModel.train_on`."""
        losses = self.objective.step(self.net, batch / self.net.scale, progress, self._update)
        self.averaged.update_parameters(self.net)
        return losses

    def seconds_of(self, batch: Tensor) -> float:
        """Length of all windows together, s."""
        return batch.shape[0] * batch.shape[-1] / self.rate_hz

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        """The objective's losses on windows of the validation."""
        losses = self.objective.validation_losses(self.playing, batch / self.playing.scale)
        self.log_dict(losses, batch_size=len(batch), prog_bar=True)


def _mean_of_the_last(decay: float) -> Callable[[Any, Any, Any], None]:
    """For `AveragedModel`: an exponential mean that forgets the first weights quickly while there are few."""

    @torch.no_grad()
    def average(averaged: Any, current: Any, updates: Any) -> None:
        count = int(updates)
        torch._foreach_lerp_(list(averaged), list(current), 1 - min(decay, (1 + count) / (10 + count)))

    return average
