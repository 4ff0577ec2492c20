"""Learning-rate schedules that know how long the training is."""

from __future__ import annotations

import math

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler


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
        """Sets the length of the training; EffectModel calls it."""
        self.total_epochs = total_epochs

    def get_lr(self) -> list[float | Tensor]:
        """The rates of the epoch `last_epoch`."""
        progress = min(self.last_epoch / self.total_epochs, 1.0)
        ratio = self.final_ratio + (1 - self.final_ratio) * 0.5 * (1 + math.cos(math.pi * progress))
        return [rate * ratio for rate in self.base_lrs]
