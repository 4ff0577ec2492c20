"""The difference in loudness over a whole set."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torchmetrics.utilities import dim_zero_cat

from tapezoo.loudness import BLOCK_S, block_powers, gated_loudness
from tapezoo.metrics.sampled import SampledMetric


class LoudnessDifference(SampledMetric):
    """By how many LU the integrated loudness of the output differs from the target's; never negative.

    ITU-R BS.1770-4, one channel: K-weighted, in blocks of 0.4 s, gated at -70 LUFS and at 10 LU under the mean. The
    whole set is gated as one signal, so a quiet row counts little. Rows shorter than a block are left out.

    Args:
        sample_rate: Hz, 16000 or more: below it, the recommendation's filters, made for 48 kHz, bend too much.

    Raises:
        MetricError: A lower rate.
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    title = "loudness"
    least_rate_hz = 16_000
    least_s = BLOCK_S
    powers: list[Tensor]  # each (blocks, 2), of output and target

    def __init__(self, sample_rate: int) -> None:
        super().__init__(sample_rate)
        self.add_state("powers", default=[], dist_reduce_fx="cat")

    def update(self, output: Tensor, target: Tensor) -> None:
        """Adds one row (1, samples), which is filtered from rest."""
        pair = np.stack([one.detach().double().cpu().numpy().reshape(-1) for one in (output, target)])
        powers = np.stack([block_powers(one, self.sample_rate) for one in pair], axis=-1)
        if len(powers):
            self.powers.append(torch.from_numpy(powers).to(target.device))

    def compute(self) -> Tensor:
        """The difference so far, LU; NaN if one of them is silent or not finite, or every row too short."""
        if not self.powers:
            return torch.tensor(torch.nan)
        # what is not finite in a row makes all blocks after it NaN
        powers = dim_zero_cat(self.powers).cpu().numpy()
        levels = [gated_loudness(one) for one in powers.T]
        heard = bool(np.isfinite(powers).all()) and all(math.isfinite(level) for level in levels)
        return torch.tensor(abs(levels[0] - levels[1]) if heard else torch.nan)
