"""Controls that glide: the mean of where they were told to be lately, which the state carries from block to block."""

from __future__ import annotations

import torch
from torch import Tensor


def glide(history: Tensor, controls: Tensor, samples: int) -> tuple[Tensor, Tensor]:
    """The path of the knobs over a block, and their history after it.

    At every sample a knob stands at the mean of its last N targets, this sample's among them. A lone new target
    is a straight line of N samples; targets that come fast are followed as late as slow ones, (N - 1) / 2 samples,
    however blocks are cut; N samples after the last new one the knob is exactly there.

    Args:
        history: The N targets before the block, the newest last; all alike where knobs stand still.
        controls: The targets of this block.
        samples: Length of the block, 1 or more.

    Shape:
        history, also the result's: (batch, K, N); controls: (batch, K); path: (batch, K, samples).
    """
    target = controls.unsqueeze(-1)
    told = torch.cat([history, target.expand(-1, -1, samples)], dim=-1)
    leaving, history = told[..., :samples], told[..., samples:]
    # how far the last N targets are from the newest one, summed: exactly 0 where all of them are there. In double
    # precision, since a sum of N like numbers rounds the same way every time
    last, leaving = (history - target).double().sum(-1, keepdim=True), (leaving - target).double()
    apart = last + (leaving.flip(-1).cumsum(-1).flip(-1) - leaving)
    return target + (apart / history.shape[-1]).to(history.dtype), history


def fill_history(controls: Tensor, smoothing_samples: int) -> Tensor:
    """The history of knobs that have stood at `controls` (batch, K) for long, (batch, K, N)."""
    return controls.unsqueeze(-1).repeat(1, 1, smoothing_samples)


def moves(history: Tensor, controls: Tensor) -> bool:
    """Whether any row is on its way."""
    return bool((history != controls.unsqueeze(-1)).any())


def samples_left(history: Tensor, controls: Tensor) -> Tensor:
    """Samples until each row's knobs are at their targets, (batch, 1): N as a new one is given, 0 at rest."""
    others = (history != controls.unsqueeze(-1)).any(dim=1).to(controls.dtype)  # (batch, N)
    return (others.flip(-1).cumsum(-1) > 0).sum(-1, keepdim=True)


def steps(path: Tensor, held: Tensor, left: Tensor, smoothing_samples: int, step_samples: int) -> Tensor:
    """A path that follows `glide`'s in steps: for what is too costly to change with every sample.

    The way is cut into pieces of `step_samples` from each new target on; in each the path stays at its first value.
    From the sample on with which the knobs arrive it is exactly at the target.

    Args:
        path: Of the knobs over a block, from `glide`.
        held: Where the steps were at the end of the block before; heard where a piece began there.
        left: As the block begins, see `samples_left`.
        smoothing_samples: N.
        step_samples: Of a piece.

    Shape:
        path, result: (batch, K, samples); held: (batch, K); left: (batch, 1).
    """
    sample = torch.arange(path.shape[-1], device=path.device)
    position = smoothing_samples - left.long() + sample  # since the target was new, from 0
    into = torch.where(position < smoothing_samples - 1, position.remainder(step_samples), 0)
    began = (sample - into + 1).clamp(min=0)  # 0: in a block before
    known = torch.cat([held.unsqueeze(-1), path], dim=-1)
    return known.gather(-1, began.unsqueeze(1).expand(-1, path.shape[1], -1))
