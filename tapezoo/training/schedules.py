"""Learning-rate schedules that follow the length of the training."""

from __future__ import annotations

import math

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler


class CosineDecay(LRScheduler):
    """Half a cosine from the optimizer's learning rate to `final_ratio` of it, over the whole training.

    Loshchilov, Hutter, "SGDR", ICLR 2017, without restarts. Unlike torch's CosineAnnealingLR it follows the share
    of the training that is done. So it ends with the training, whether epochs, time or an amount of audio end it, and
    also if a resumed training is longer than before.

    Args:
        optimizer: The optimizer whose learning rate is set.
        final_ratio: Last learning rate divided by the first, 0 to 1.
    """

    def __init__(self, optimizer: Optimizer, final_ratio: float = 0.0) -> None:
        self.final_ratio = final_ratio
        self.fraction_done = 0.0
        super().__init__(optimizer)

    def reach(self, fraction_done: float) -> None:
        """Sets the rates for this share of the training; EffectModel calls it before each batch.

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
