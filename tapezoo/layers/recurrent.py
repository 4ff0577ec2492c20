"""What stands around the recurrent layer of a net: controls beside the signal, a linear path beside the net."""

from __future__ import annotations

import torch
from torch import Tensor

from tapezoo.layers.convolution import causal_convolution


def with_controls(input: Tensor, controls: Tensor) -> Tensor:
    """The signal and the controls of every sample, in the order recurrent layers read.

    Shape:
        input: (batch, 1, samples); controls: (batch, K, 1 or samples); output: (batch, samples, 1 + K).
    """
    if not controls.shape[1]:
        return input.transpose(1, 2)
    return torch.cat([input, controls.expand(-1, -1, input.shape[-1])], dim=1).transpose(1, 2)


def add_linear_path(
    output: Tensor, input: Tensor, taps: Tensor | None, state: dict[str, Tensor]
) -> tuple[Tensor, dict[str, Tensor]]:
    """`output` plus the filtered input; the state after the filter.

    Args:
        output: Of the net around which the path leads.
        input: Of the same block.
        taps: The filter; None: no path.
        state: Holds `past`, the filter's left context, where there is more than one tap.

    Shape:
        output, input: (batch, 1, samples); taps: (1, 1, taps); past: (batch, 1, taps - 1).
    """
    if taps is None:
        return output, {}
    linear, past = causal_convolution(input, state.get("past", input[..., :0]), taps)
    return output + linear, {"past": past} if "past" in state else {}
