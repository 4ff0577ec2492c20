"""What a state transition net makes of its input before it runs: all that does not wait for its own output."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from tapezoo.layers.conditioner import State
from tapezoo.layers.transition_inputs import TransitionInputs, slope


class Hearing(NamedTuple):
    """Of a block.

    Args:
        heard: What the first layer hears beside M, (inputs, samples, batch).
        step: Factor on the net, (samples, batch).
        turn: What M is heard with, (samples, batch).
        after: State of field and slope after the block.
    """

    heard: Tensor
    step: Tensor
    turn: Tensor
    after: State


def hear(
    input: Tensor, state: State, inputs: TransitionInputs, alpha: float, rise: float, increment: float | None
) -> Hearing:
    """Field, slope, and what is made of them.

    Args:
        input: The field, (batch, 1, samples).
        state: With "field" and "slope" of the sample before, (batch, 1) each.
        inputs: Of the net.
        alpha: See `tapezoo.layers.transition_inputs.slope`.
        rise: See there.
        increment: What an output of 1 moves M by at `rise` 1; None: the mean of the slopes on both sides.
    """
    H = input[:, 0]
    dH = slope(H, state["field"], state["slope"], alpha, rise)
    H_1 = torch.cat([state["field"], H[:, :-1]], dim=1)
    dH_1 = torch.cat([state["slope"], dH[:, :-1]], dim=1)
    after = {"field": H[:, -1:], "slope": dH[:, -1:]}
    H, dH, H_1, dH_1 = (part.t() for part in (H, dH, H_1, dH_1))
    step = (dH + dH_1) * (0.5 / rise) if increment is None else torch.full_like(dH, increment / rise)
    return Hearing(inputs(H, dH, H_1, dH_1), step, inputs.turn(dH, dH_1), after)
