"""Activations of convolutional nets at the speed of their arithmetic."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


def fast_tanh(input: Tensor) -> Tensor:
    """`tanh(u) = 2 sigmoid(2 u) - 1`, within 2e-7 (absolute) of `torch.tanh`, faster on a CPU.

    torch's tanh took ten times as long as its sigmoid where it was measured (131,072 values, one thread). Exported
    graphs and other devices keep the one operator.
    """
    exporting: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    if exporting or input.device.type != "cpu":
        return torch.tanh(input)
    output: Tensor = _TanhBySigmoid.apply(input)  # type: ignore[no-untyped-call]
    return output


class FastTanh(nn.Module):
    """`fast_tanh` as a module."""

    def forward(self, input: Tensor) -> Tensor:
        """The tanh of every element."""
        return fast_tanh(input)


class _TanhBySigmoid(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor) -> Tensor:
        output = torch.mul(input, 2.0).sigmoid_()
        torch.add(output.new_tensor(-1.0), output, alpha=2.0, out=output)
        ctx.save_for_backward(output)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (output,) = ctx.saved_tensors
        result: Tensor = torch.ops.aten.tanh_backward(gradient, output)
        return result
