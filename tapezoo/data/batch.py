"""What passes from a DataModule to a training or validation step."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

LEAST_DELAY_SAMPLES = 16
"""Smallest delay given to a model: interpolation needs this many samples on either side, all of them in the past."""


class Batch(NamedTuple):
    """Rows of paired audio; every row is independent of the others."""

    input: Tensor  # (batch, 1, samples), full scale is +-1
    target: Tensor  # (batch, 1, samples)
    controls: Tensor  # (batch, num_controls) in 0..1
    valid_samples: Tensor  # (batch,) int64: how much of each row is audio; what follows is zero padding
    names: list[str]  # where each row comes from, for reports
    scale: Tensor | None = None  # (batch,): factor of output and target before the loss; None: 1
    delay: Tensor | None = (
        None  # (batch, 1, samples), at least LEAST_DELAY_SAMPLES: the target answers the model's
    )
    # output so many samples before (`tapezoo.layers.delay_line`); None: output and target lie on each other
    steady_input: Tensor | None = (
        None  # as input, of whole regions whose input follows a wandering delay: the same
    )
    # with only a constant taken off
