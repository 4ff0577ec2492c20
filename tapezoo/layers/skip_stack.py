"""A stack of dilated convolutions with skips for training on a CPU: compiled loops and a hand-written gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

from tapezoo.layers.row_blocks import flat, lanes_like, run_shares, runs_compiled, shares
from tapezoo.layers.stack_gradients import stack_backward
from tapezoo.layers.stack_loops import stack_forward
from tapezoo.layers.stack_tiles import CHANNELS, VECTORS

Activation = Literal["tanh", "gated", "leaky_relu"]
_LINE = 16  # numbers in a cache line, or a multiple of it


class StackWeights(NamedTuple):
    """The weights of all layers, one after another."""

    dilated: Tensor
    """W, (layers, width, C, taps); width is C, or 2 C if gated: the channels of the tanh, then those of the sigmoid."""
    mix: Tensor
    """V, (layers, width, K)."""
    bias: Tensor
    """b, (layers, width)."""
    residual: Tensor
    """R, (layers, C, C)."""
    offset: Tensor
    """r, (layers, C)."""


def run_skip_stack(
    y: Tensor,
    told: Tensor,
    past: Tensor,
    weights: StackWeights,
    dilations: list[int],
    activation: Activation,
    summed: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Layers of `z = f(W * y + V c + b)`, `y' = y + R z + r`.

    Faster than the same in matrix products, gradient included: see `tapezoo.layers.stack_loops`;
    `benchmarks/train.py` compares whole nets. No gradient is computed for the `past`, see `runs_stack`.

    Args:
        y: Input of the first layer.
        told: c, the input that every layer receives.
        past: Every layer's left context, (taps - 1) dilation samples each, one after another.
        weights: Weights of the layers.
        dilations: One per layer.
        activation: f, see `tapezoo.architecture.SkipLayer`.
        summed: Whether to return the sum of z over the layers, or every layer's z, one after another.

    Returns:
        y after the last layer, z, and `past` for the next block.

    Shape:
        y: (batch, C, samples); told: (batch, K, samples); past: (batch, C, of all layers);
        z: (batch, C, samples), or (batch, layers C, samples).
    """
    result: tuple[Tensor, Tensor, Tensor] = _SkipStack.apply(
        y, told, past, dilations, activation, summed, *weights
    )  # type: ignore[no-untyped-call]
    return result


def runs_stack(y: Tensor, past: Tensor) -> bool:
    """Whether `run_skip_stack` applies: on a CPU, not in a traced graph, and no gradient of `past` wanted."""
    return runs_compiled(y) and past.dtype == y.dtype and not past.requires_grad


def stack_weights(
    dilated: Sequence[nn.Conv1d], residual: Sequence[nn.Conv1d], mix: Sequence[nn.Conv1d] = ()
) -> StackWeights:
    """The weights of layers of one width, from their modules; all convolutions except `mix` have a bias."""
    weights = torch.stack([each.weight for each in dilated])
    layers, width = weights.shape[:2]
    return StackWeights(
        dilated=weights,
        mix=(
            torch.stack([each.weight[..., 0] for each in mix]) if mix else weights.new_zeros(layers, width, 0)
        ),
        bias=torch.stack([_bias(each) for each in dilated]),
        residual=torch.stack([each.weight[..., 0] for each in residual]),
        offset=torch.stack([_bias(each) for each in residual]),
    )


def _bias(convolution: nn.Conv1d) -> Tensor:
    assert convolution.bias is not None
    return convolution.bias


class _Sizes(NamedTuple):
    layers: int
    taps: int
    own_channels: int
    channels: int
    width: int
    columns: int
    samples: int
    padded: int
    wide: int
    row_context: int
    lanes: int
    gated: int
    leaky: int
    summed: int


class _Plan(NamedTuple):
    """Sizes, and the position of each layer's context."""

    places: NDArray[np.int64]
    dilations: NDArray[np.int64]
    sizes: _Sizes


def _up_to(count: int, multiple: int) -> int:
    return -(-count // multiple) * multiple


def _apart(count: int) -> int:
    """Rounds up to an odd number of cache lines: channels at this distance do not compete for the same cache sets."""
    lines = -(-count // _LINE)
    return _LINE * (lines + 1 - lines % 2)


def _plan(
    y: Tensor,
    told: Tensor,
    weights: StackWeights,
    dilations: list[int],
    activation: Activation,
    summed: bool,
) -> _Plan:
    samples, lanes = y.shape[-1], lanes_like(y)
    layers, width, own_channels, taps = weights.dilated.shape
    channels = _up_to(own_channels, CHANNELS)
    padded = _up_to(samples, VECTORS * lanes)
    places, begin = [], 0
    for dilation in dilations:
        newest = _up_to((taps - 1) * dilation, _LINE)
        stride = _apart(newest + padded)
        places.append((begin, stride, newest))
        begin += channels * stride
    sizes = _Sizes(
        layers=layers,
        taps=taps,
        own_channels=own_channels,
        channels=channels,
        width=channels * width // own_channels,
        columns=_up_to(told.shape[1] + 1, 2),
        samples=samples,
        padded=padded,
        wide=_apart(padded + VECTORS * lanes),
        row_context=begin,
        lanes=lanes,
        gated=int(activation == "gated"),
        leaky=int(activation == "leaky_relu"),
        summed=int(summed),
    )
    return _Plan(np.array(places, np.int64).reshape(-1), np.array(dilations, np.int64), sizes)


def _with_ones(told: Tensor, columns: int, padded: int) -> Tensor:
    """c, padded with zeros, and a last column of ones whose weight is the bias."""
    batch, count, samples = told.shape
    wider = told.new_zeros(batch, columns, padded)
    wider[:, :count, :samples] = told
    wider[:, -1] = 1.0
    return wider


def _pad_width(weights: Tensor, sizes: _Sizes) -> Tensor:
    """(layers, width, ...) -> every half padded to C; if gated, rows of the tanh and the sigmoid alternate."""
    halves, own = sizes.width // sizes.channels, sizes.own_channels
    apart = weights.reshape(sizes.layers, halves, own, -1)
    apart = pad(apart, (0, 0, 0, sizes.channels - own)).transpose(1, 2)
    return apart.reshape(sizes.layers, sizes.width, *weights.shape[2:])


def _cut_width(weights: Tensor, sizes: _Sizes) -> Tensor:
    """The inverse of `_pad_width`."""
    halves, own = sizes.width // sizes.channels, sizes.own_channels
    apart = weights.reshape(sizes.layers, sizes.channels, halves, -1)[:, :own].transpose(1, 2)
    return apart.reshape(sizes.layers, halves * own, *weights.shape[2:])


class _Padded(NamedTuple):
    """The weights in the form that the loops take."""

    into: Tensor
    weights: Tensor
    residual: Tensor
    offset: Tensor


def _pad(given: StackWeights, sizes: _Sizes) -> _Padded:
    more = sizes.channels - sizes.own_channels
    into = given.dilated.new_zeros(sizes.layers, sizes.width, sizes.columns)
    into[..., : given.mix.shape[2]] = _pad_width(given.mix, sizes)
    into[..., -1] = _pad_width(given.bias, sizes)
    weights = pad(_pad_width(given.dilated, sizes).movedim(3, 1), (0, more))  # (layers, taps, width, C)
    residual, offset = pad(given.residual, (0, more, 0, more)), pad(given.offset, (0, more))
    return _Padded(into, weights.contiguous(), residual.contiguous(), offset.contiguous())


def _halve_sigmoids(weights: Tensor, gated: int) -> Tensor:
    """(..., width, columns); see `tapezoo.layers.lanes.sigmoid_of_twice`."""
    if not gated:
        return weights
    halved = weights.clone()
    halved[..., 1::2, :] *= 0.5
    return halved


class _SkipStack(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        y: Tensor,
        told: Tensor,
        past: Tensor,
        dilations: list[int],
        activation: Activation,
        summed: bool,
        *given: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        own = StackWeights(*given)
        plan = _plan(y, told, own, dilations, activation, summed)
        sizes, rows, kept = plan.sizes, y.shape[0], any(ctx.needs_input_grad)
        parts, channels = shares(rows), sizes.channels
        places = rows if kept else len(parts)
        wider, after = _with_ones(told, sizes.columns, sizes.padded), past.new_empty(past.shape)
        padded = _pad(own, sizes)
        halved = [_halve_sigmoids(each, sizes.gated) for each in (padded.into, padded.weights)]
        context = y.new_empty(places, sizes.row_context)
        z = y.new_empty(places if summed else rows, sizes.layers, channels, sizes.wide)
        bent = y.new_empty(places if sizes.gated else 0, sizes.layers, sizes.width, sizes.wide)
        heads = y.new_empty(rows if summed else 0, channels, sizes.wide)
        output = y.new_empty(rows, channels, sizes.wide)
        given_arrays = y.contiguous(), past.contiguous(), wider, *halved, padded.residual, padded.offset
        arrays = [flat(each) for each in (*given_arrays, context, z, bent, heads, output, after)]

        def run(share: int, first: int, last: int) -> None:
            stack_forward(*arrays, plan.places, plan.dilations, *sizes, first, last, int(kept), share)

        run_shares(run, parts)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*given, wider, context, z, bent)
        ctx.plan = plan
        samples, width = sizes.samples, sizes.own_channels
        skips = heads if summed else z
        skips = skips[..., :width, :samples].reshape(rows, -1, samples)
        return output[:, :width, :samples], skips, after

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, given_y: Tensor | None, given_skips: Tensor | None, given_after: Tensor | None
    ) -> tuple[Any, ...]:
        *given, told, context, z, bent = ctx.saved_tensors
        own, sizes = StackWeights(*given), ctx.plan.sizes
        rows, parts = told.shape[0], shares(told.shape[0])
        padded = _pad(own, sizes)
        width, samples = sizes.own_channels, sizes.samples
        heard, carried, nothing = given_y is not None, given_after is not None, told.new_empty(0)
        given_y = nothing if given_y is None else given_y.contiguous()
        given_after = nothing if given_after is None else given_after.contiguous()
        if given_skips is None:
            given_skips = told.new_zeros(rows, width if sizes.summed else sizes.layers * width, samples)
        d_y, d_skips = (told.new_zeros(len(parts), sizes.channels, sizes.wide) for _ in range(2))
        d_u = told.new_zeros(len(parts), sizes.width, sizes.wide)
        sums = [told.new_zeros(len(parts), *each.shape) for each in padded]
        for_input = told.new_empty(rows, sizes.channels, sizes.wide)
        wanted = ctx.needs_input_grad[1]
        for_told = told.new_zeros(told.shape if wanted else 0)
        kept = told, *padded[:3], context, z, bent
        arrays = [given_y, given_skips.contiguous(), given_after, *kept, d_y, d_skips]
        arrays = [flat(each) for each in (*arrays, d_u, *sums, for_input, for_told)]

        def run(share: int, first: int, last: int) -> None:
            flags = int(heard), int(carried), first, last, share, int(wanted)
            stack_backward(*arrays, ctx.plan.places, ctx.plan.dilations, *sizes, *flags)

        run_shares(run, parts)
        into, weights, residual, offset = (each.sum(dim=0) for each in sums)
        for_weights = StackWeights(
            dilated=_cut_width(weights.movedim(1, 3), sizes)[:, :, :width],
            mix=_cut_width(into[..., : own.mix.shape[2]], sizes),
            bias=_cut_width(into[..., -1], sizes),
            residual=residual[:, :width, :width],
            offset=offset[:, :width],
        )
        for_c = for_told[:, : own.mix.shape[2], :samples] if wanted else None
        return for_input[:, :width, :samples], for_c, None, None, None, None, *for_weights
