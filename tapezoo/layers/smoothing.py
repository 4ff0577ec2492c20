"""Gliding controls: the mean of their recent targets, which the state carries from block to block."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor


def glide(history: Tensor, controls: Tensor, samples: int) -> tuple[Tensor, Tensor]:
    """The path of the knobs over a block, and their history after it.

    At every sample a knob is at the mean of its last N targets, this sample's included. A single new target gives a
    straight line of N samples. A continuously moving target is followed with a delay of (N - 1) / 2 samples, however
    the blocks are cut. N samples after the last change the knob is exactly at its target.

    Args:
        history: The N targets before the block, the newest last; all equal while the knobs are constant.
        controls: The targets of this block.
        samples: Length of the block, 1 or more.

    Shape:
        history: (batch, K, N), like the returned one; controls: (batch, K); path: (batch, K, samples).
    """
    target = controls.unsqueeze(-1)
    told = torch.cat([history, target.expand(-1, -1, samples)], dim=-1)
    leaving, history = told[..., :samples], told[..., samples:]
    # the summed distance of the last N targets from the newest one: exactly 0 if all are equal to it. In double
    # precision, since in a sum of N equal numbers all rounding errors have the same sign
    last, leaving = (history - target).double().sum(-1, keepdim=True), (leaving - target).double()
    apart = last + (leaving.flip(-1).cumsum(-1).flip(-1) - leaving)
    return target + (apart / history.shape[-1]).to(history.dtype), history


def fill_history(controls: Tensor, smoothing_samples: int) -> Tensor:
    """The history of knobs that have long been at `controls` (batch, K), (batch, K, N)."""
    return controls.unsqueeze(-1).repeat(1, 1, smoothing_samples)


def moves(history: Tensor, controls: Tensor) -> bool:
    """Whether the controls of any row are still moving."""
    return bool((history != controls.unsqueeze(-1)).any())


def samples_left(history: Tensor, controls: Tensor) -> Tensor:
    """Samples until each row's knobs reach their targets, (batch, 1): N when a new one arrives, 0 at rest."""
    others = (history != controls.unsqueeze(-1)).any(dim=1).to(controls.dtype)  # (batch, N)
    return (others.flip(-1).cumsum(-1) > 0).sum(-1, keepdim=True)


def steps(path: Tensor, held: Tensor, left: Tensor, smoothing_samples: int, step_samples: int) -> Tensor:
    """A path that follows that of `glide` in steps, for quantities that are too costly to change at every sample.

    From each new target on, the path is cut into pieces of `step_samples`, and stays at its first value in each piece.
    From the sample at which the knobs arrive, it is exactly at the target.

    Args:
        path: Path of the knobs over a block, from `glide`.
        held: Value of the steps at the end of the previous block; it continues if a piece started there.
        left: `samples_left` at the start of the block.
        smoothing_samples: N.
        step_samples: Length of a piece.

    Shape:
        path, result: (batch, K, samples); held: (batch, K); left: (batch, 1).
    """
    sample = torch.arange(path.shape[-1], device=path.device)
    position = smoothing_samples - left.long() + sample  # since the newest target arrived, from 0
    into = torch.where(position < smoothing_samples - 1, position.remainder(step_samples), 0)
    began = (sample - into + 1).clamp(min=0)  # 0: in an earlier block
    known = torch.cat([held.unsqueeze(-1), path], dim=-1)
    return known.gather(-1, began.unsqueeze(1).expand(-1, path.shape[1], -1))


@lru_cache
def scripted_glide() -> Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]:
    """`(history, controls, block) -> (path, history)` for graphs that are traced: a condition in the graph.

    As `glide` over the length of `block` while a control moves; else the path is (batch, K, 1). In a traced graph
    `glide` alone has 20 operators, as many as a small net.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`?torch\.jit", DeprecationWarning)
        scripted: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]] = torch.jit.script(_glide_or_hold)
    return scripted


def _glide_or_hold(history: Tensor, controls: Tensor, block: Tensor) -> tuple[Tensor, Tensor]:
    # in onnxruntime a quarter of the time of `(history != ...).any()`: comparing and counting are slow there
    if bool((history - controls.unsqueeze(-1)).abs().max() > 0):
        path, after = glide(history, controls, block.shape[-1])
    else:
        path, after = controls.unsqueeze(-1), history
    return path, after
