"""Parts around the recurrent layer of a net: controls appended to the signal, a linear path in parallel."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

from tapezoo.layers.convolution import causal_convolution

Cell = TypeVar("Cell", nn.LSTM, nn.GRU)


def append_controls(input: Tensor, controls: Tensor) -> Tensor:
    """The signal and the controls of every sample, in the order recurrent layers read.

    Shape:
        input: (batch, 1, samples); controls: (batch, K, 1 or samples); output: (batch, samples, 1 + K).
    """
    if not controls.shape[1]:
        return input.transpose(1, 2)
    return torch.cat([input, controls.expand(-1, -1, input.shape[-1])], dim=1).transpose(1, 2)


@torch.no_grad()
def fold_controls(cell: Cell, controls: Tensor) -> Cell:
    """The recurrent layer with its controls fixed at `controls` (K,): their columns become part of the bias.

    Args:
        cell: A layer with the input (signal, controls), see `append_controls`.
        controls: The fixed positions.
    """
    first = cell.get_parameter("weight_ih_l0")
    signal = cell.input_size - len(controls)
    with torch.random.fork_rng(devices=[]):  # keeps the random state unchanged
        held = type(cell)(signal, cell.hidden_size, cell.num_layers, batch_first=cell.batch_first).to(first)
    for name, parameter in held.named_parameters():
        parameter.copy_(first[:, :signal] if name == "weight_ih_l0" else cell.get_parameter(name))
    held.get_parameter("bias_ih_l0").add_(first[:, signal:] @ controls)
    return held.train(cell.training)


def add_linear_path(
    output: Tensor, input: Tensor, taps: Tensor | None, state: dict[str, Tensor]
) -> tuple[Tensor, dict[str, Tensor]]:
    """`output` plus the filtered input; the state after the filter.

    Args:
        output: Output of the net in parallel with the path.
        input: Input of the same block.
        taps: The filter; None: no path.
        state: Holds `past`, the filter's left context, if there is more than one tap.

    Shape:
        output, input: (batch, 1, samples); taps: (1, 1, taps); past: (batch, 1, taps - 1).
    """
    if taps is None:
        return output, {}
    tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    if taps.shape[-1] == 1 and not tracing:  # a convolution would take thirty times as long
        return output + input * taps, {}
    linear, past = causal_convolution(input, state.get("past", input[..., :0]), taps)
    return output + linear, {"past": past} if "past" in state else {}
