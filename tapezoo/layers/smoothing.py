"""Controls that glide: a linear ramp of fixed duration, its position carried from block to block."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Knobs(NamedTuple):
    """Where a net's controls are between two blocks."""

    value: Tensor
    """(batch, K): now."""
    target: Tensor
    """(batch, K): where they are going."""
    left: Tensor
    """(batch, 1): samples until they are there; whole numbers."""


def aim(knobs: Knobs, controls: Tensor, smoothing_samples: int) -> Knobs:
    """The knobs as a block begins: a row with a new target starts a whole ramp from where it is.

    Args:
        knobs: After the block before.
        controls: (batch, K), the targets of this block.
        smoothing_samples: Length of a ramp.
    """
    turned = (knobs.target != controls).any(dim=1, keepdim=True)
    left = torch.where(turned, torch.full_like(knobs.left, smoothing_samples), knobs.left.round())
    return Knobs(knobs.value, controls, left.clamp(0, smoothing_samples))


def ramp(knobs: Knobs, samples: int) -> tuple[Tensor, Knobs]:
    """The path of the knobs over a block, and where they are after it.

    `n` samples into the block, 1 or more, a row with `left` samples to go is at
    `value + (target - value) n / left`, and exactly at the target from n = left on.

    Args:
        knobs: As the block begins, see `aim`.
        samples: Length of the block, 1 or more.

    Shape:
        path: (batch, K, samples).
    """
    value, target, left = (tensor.unsqueeze(-1) for tensor in knobs)
    n = torch.arange(1, samples + 1, device=value.device, dtype=value.dtype)
    on_the_way = value + (target - value) * (n / left.clamp(min=1))  # (batch, K, samples)
    path = torch.where(n >= left, target, on_the_way)
    return path, Knobs(path[..., -1], knobs.target, (knobs.left - samples).clamp(min=0))


def moves(knobs: Knobs) -> bool:
    """Whether any row is on its way."""
    return bool((knobs.left > 0).any())


def steps(path: Tensor, held: Tensor, left: Tensor, smoothing_samples: int, step_samples: int) -> Tensor:
    """A path that follows `ramp`'s in steps: for what is too costly to change with every sample.

    A ramp is cut into pieces of `step_samples` from its first sample on; in each the path stays at its first
    value. From the ramp's last sample on it is exactly at the target.

    Args:
        path: Of the knobs over a block, from `ramp`.
        held: Where the steps were at the end of the block before; heard where a piece began there.
        left: Samples the knobs had to go as the block began, see `aim`.
        smoothing_samples: Length of a ramp.
        step_samples: Of a piece.

    Shape:
        path, result: (batch, K, samples); held: (batch, K); left: (batch, 1).
    """
    sample = torch.arange(path.shape[-1], device=path.device)
    position = smoothing_samples - left.long() + sample  # in the ramp, from 0
    into = torch.where(position < smoothing_samples - 1, position.remainder(step_samples), 0)
    began = (sample - into + 1).clamp(min=0)  # 0: in a block before
    known = torch.cat([held.unsqueeze(-1), path], dim=-1)
    return known.gather(-1, began.unsqueeze(1).expand(-1, path.shape[1], -1))
