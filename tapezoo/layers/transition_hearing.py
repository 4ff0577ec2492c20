"""The part of a state transition net that does not depend on its own output, computed before it runs."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from tapezoo.layers.conditioner import State
from tapezoo.layers.transition_inputs import TransitionInputs, slope


class Hearing(NamedTuple):
    """Inputs of a block.

    Args:
        heard: Inputs of the first layer except M, (inputs, samples, batch).
        step: Factor on the net's output, (samples, batch).
        turn: Factor on M at the net's input, (samples, batch).
        after: State of field and slope after the block.
    """

    heard: Tensor
    step: Tensor
    turn: Tensor
    after: State


def hear(
    input: Tensor, state: State, inputs: TransitionInputs, alpha: float, rise: float, increment: float | None
) -> Hearing:
    """Computes field, slope, and the net's inputs from them.

    Args:
        input: The field, (batch, 1, samples).
        state: With "field" and "slope" of the previous sample, (batch, 1) each.
        inputs: The net's choice of inputs.
        alpha: See `tapezoo.layers.transition_inputs.slope`.
        rise: See there.
        increment: The change of M for an output of 1, at `rise` 1; None: the mean of the slopes on both sides.
    """
    H = input[:, 0]
    dH = slope(H, state["field"], state["slope"], alpha, rise)
    H_1 = torch.cat([state["field"], H[:, :-1]], dim=1)
    dH_1 = torch.cat([state["slope"], dH[:, :-1]], dim=1)
    after = {"field": H[:, -1:], "slope": dH[:, -1:]}
    H, dH, H_1, dH_1 = (part.t() for part in (H, dH, H_1, dH_1))
    step = (dH + dH_1) * (0.5 / rise) if increment is None else torch.full_like(dH, increment / rise)
    return Hearing(inputs(H, dH, H_1, dH_1), step, inputs.turn(dH, dH_1), after)
