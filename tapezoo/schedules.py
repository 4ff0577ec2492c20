"""Learning-rate schedules that know how long the training is."""

from __future__ import annotations

import math

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from tapezoo.errors import TapezooError


class EndlessTrainingError(TapezooError):
    """A schedule over the whole training, and a training without an end."""


class CosineDecay(LRScheduler):
    """Half a cosine from the optimizer's rate to `final_ratio` of it, over the whole training.

    Loshchilov, Hutter, "SGDR", ICLR 2017, without restarts. Unlike torch's CosineAnnealingLR it takes its
    length from the trainer, so that `--trainer.max_epochs` alone makes a training longer, also a resumed one.

    Args:
        optimizer: Whose rate to set.
        final_ratio: Last rate over first rate, 0 to 1.
    """

    def __init__(self, optimizer: Optimizer, final_ratio: float = 0.0) -> None:
        self.final_ratio = final_ratio
        self.total_epochs = 1
        super().__init__(optimizer)

    def spans(self, total_epochs: int) -> None:
        """Sets the length of the training and the rates of the epoch to come.

        EffectModel calls it when training starts: a resumed state brings the length of the training before.

        Args:
            total_epochs: 1 or more.

        Raises:
            EndlessTrainingError: The trainer knows no last epoch.
        """
        if total_epochs < 1:
            raise EndlessTrainingError(
                "trainer.max_epochs",
                found=str(total_epochs),
                expected="a number of epochs, over which CosineDecay lowers the learning rate",
                fix="Set trainer.max_epochs, or choose a schedule that needs no end.",
            )
        self.total_epochs = total_epochs
        for group, rate in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
            group["lr"] = rate

    def get_lr(self) -> list[float | Tensor]:
        """The rates of the epoch `last_epoch`."""
        progress = min(self.last_epoch / self.total_epochs, 1.0)
        ratio = self.final_ratio + (1 - self.final_ratio) * 0.5 * (1 + math.cos(math.pi * progress))
        return [rate * ratio for rate in self.base_lrs]
