"""Causal convolution whose left context is passed in and returned."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def causal_convolution(input: Tensor, past: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Convolves `input` with `weight`, continuing from `past`.

    Args:
        input: The block.
        past: The taps - 1 input samples before it.
        weight: Kernels; `weight[..., -1]` meets the current sample, `weight[..., 0]` the oldest.

    Returns:
        The output of the block's length, and the `past` for the next block.

    Shape:
        input: (batch, in_channels, samples); past: (batch, in_channels, taps - 1);
        weight: (out_channels, in_channels, taps); output: (batch, out_channels, samples).
    """
    context = torch.cat([past, input], dim=-1)
    output = nn.functional.conv1d(context, weight)
    # a block shorter than the kernel leaves part of the old context in place
    return output, context[..., context.shape[-1] - past.shape[-1] :]
