"""Causal convolution whose left context is passed in and returned."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


def causal_convolution(
    input: Tensor,
    past: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    dilation: int = 1,
    offset: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Convolves `input` with `weight`, continuing from `past`.

    Args:
        input: The block.
        past: The (taps - 1) * dilation input samples before it.
        weight: Kernels; `weight[..., -1]` multiplies the current sample, `weight[..., 0]` the oldest.
        bias: Added to every output channel.
        dilation: Samples between two taps, 1 or more.
        offset: Added to the output.

    Returns:
        The output, as long as the block, and the `past` for the next block.

    Shape:
        input: (batch, in_channels, samples); past: (batch, in_channels, (taps - 1) * dilation);
        weight: (out_channels, in_channels, taps); bias: (out_channels,);
        output, offset: (batch, out_channels, samples).
    """
    context = torch.cat([past, input], dim=-1)
    output = convolution(context, weight, bias, dilation, offset)
    # a block shorter than the kernel leaves part of the old context in place
    past_samples = int(past.shape[-1])  # int: a constant, so that exported graphs do no arithmetic on shapes
    return output, context[..., -past_samples:] if past_samples else past


def controlled_fir(input: Tensor, controls: Tensor, past: Tensor, taps: Tensor) -> tuple[Tensor, Tensor]:
    """`y[n] = sum_k (g0[k] + sum_c p_c[n] g_c[k]) x[n - k]`: one FIR, its taps affine in the controls.

    Exact while the controls move, at no extra cost: it equals y_0[n] + sum_c p_c[n] y_c[n], where y_c is the input
    filtered by g_c.

    Args:
        input: The block.
        controls: p, one setting per row, or one per row and sample.
        past: The samples before the block.
        taps: g0, then one g_c per control; `taps[..., -1]` multiplies the current sample.

    Returns:
        The filtered block, and the `past` for the next one.

    Shape:
        input, output: (batch, 1, samples); controls: (batch, K, 1 or samples); past: (batch, 1, taps - 1);
        taps: (1 + K, 1, taps).
    """
    filtered, past = causal_convolution(input, past, taps)  # (batch, 1 + K, samples)
    output = filtered[:, :1]
    if taps.shape[0] > 1:
        output = output + (controls * filtered[:, 1:]).sum(dim=1, keepdim=True)
    return output, past


def fold_taps(taps: Tensor, controls: Tensor) -> Tensor:
    """The taps of a `controlled_fir` at one setting (K,), as taps of an FIR without controls: (1, 1, taps)."""
    of_controls: Tensor = torch.tensordot(controls, taps[1:], dims=1)
    return taps[:1] + of_controls


def identity_taps(num_controls: int, taps: int) -> Tensor:
    """Taps of a `controlled_fir` that passes the input unchanged at any setting, (1 + num_controls, 1, taps)."""
    identity = torch.zeros(1 + num_controls, 1, taps)
    identity[0, 0, -1] = 1.0
    return identity


def convolution(
    context: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    dilation: int = 1,
    offset: Tensor | None = None,
) -> Tensor:
    """`conv1d(context, weight, bias, dilation=dilation) + offset`, faster than PyTorch's operator on a CPU.

    With the few channels of audio nets, a library's dilated convolution and its gradient take longer than their
    arithmetic. Here each tap is one matrix product on a shifted view, and nothing is copied. A single input
    channel (a long FIR), exported graphs and other devices keep the library's operator.

    Shape:
        context: (batch, in_channels, (taps - 1) * dilation + samples); others as `causal_convolution`.
    """
    exporting: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    if weight.shape[1] == 1 or exporting or context.device.type != "cpu":
        output = nn.functional.conv1d(context, weight, bias, dilation=dilation)
        return output if offset is None else output + offset
    result: Tensor = _ConvolutionByTaps.apply(context, weight, bias, dilation, offset)  # type: ignore[no-untyped-call]
    return result


class _ConvolutionByTaps(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        context: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        dilation: int,
        offset: Tensor | None,
    ) -> Tensor:
        batch, _, length = context.shape
        channels, _, taps = weight.shape
        samples = length - (taps - 1) * dilation
        start = context.new_zeros(batch, channels, samples) if offset is None else offset
        output = start + (context.new_zeros(1) if bias is None else bias).unsqueeze(-1)  # new, so += is safe
        for tap in range(taps):
            kernel = weight[..., tap].contiguous().expand(batch, -1, -1)  # (batch, out_channels, in_channels)
            output.baddbmm_(kernel, context[..., tap * dilation : tap * dilation + samples])
        ctx.save_for_backward(context, weight)
        ctx.dilation = dilation
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        context, weight = ctx.saved_tensors
        batch, _, samples = gradient.shape
        taps, newest = weight.shape[-1], context.shape[-1] - samples
        gradient = gradient.contiguous()
        starts = [tap * ctx.dilation for tap in range(taps)]
        for_context = for_weight = for_bias = None
        if ctx.needs_input_grad[0]:
            for_context = torch.empty_like(context)
            for_context[..., :newest] = 0.0
            for tap in reversed(range(taps)):  # the last tap's view is the whole block, so it can overwrite
                kernel = weight[..., tap].t().contiguous().expand(batch, -1, -1)
                view = for_context[..., starts[tap] : starts[tap] + samples]
                view.baddbmm_(kernel, gradient, beta=0.0 if tap == taps - 1 else 1.0)
        if ctx.needs_input_grad[1]:
            views = [context[..., start : start + samples].transpose(1, 2) for start in starts]
            for_weight = torch.stack([torch.bmm(gradient, view).sum(dim=0) for view in views], dim=-1)
        if ctx.needs_input_grad[2]:
            for_bias = gradient.sum(dim=(0, 2))
        return for_context, for_weight, for_bias, None, gradient if ctx.needs_input_grad[4] else None
