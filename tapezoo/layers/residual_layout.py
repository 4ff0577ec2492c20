"""The memory layout of a residual stack's arrays: what its compiled loops need to know about each layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor

from tapezoo.layers.row_blocks import lanes_like, pad_units
from tapezoo.layers.sample_products import INPUTS, SAMPLES, VECTORS

_CACHED = 2**16  # numbers per layer for the rows that run together: a quarter of a typical level-2 cache


class LayerWeights(NamedTuple):
    """Weights of `u = W * h + b`, `h' = f(u) + r h`."""

    dilated: Tensor
    """W, (C, inputs, taps)."""
    bias: Tensor
    """b, (C,)."""
    slope: Tensor
    """Slopes of a PReLU, (C,); or (0,) if f is tanh."""
    residual: Tensor
    """r, (C,)."""


class Layout(NamedTuple):
    """Layout of one layer; the loops take all fields in this order (`tapezoo.layers.residual_loops.layer_forward`)."""

    past_row: int
    """Numbers from one row's past to the next; 0 if all rows share one."""
    reach: int
    """Samples of the past."""
    near: int
    """How many of these are copied before the block."""
    own: int
    """Channels of the input."""
    stride: int
    """Numbers from one sample of the context to the next."""
    context_row: int
    """Numbers in a row's context."""
    padded: int
    """Samples of the block, padded to whole tiles."""
    width: int
    """Channels of the output, padded to whole tiles: P."""
    lanes: int
    dilation: int
    products: int
    """Matrix products in the convolution: one per tap, or one for all taps if the input has one channel."""
    far: int
    """How many of these read only the past."""
    inputs: int
    """Rows of each product's matrix."""
    apart: int
    """Numbers between two inputs of a product."""
    samples: int


def layouts_of(
    weights: list[LayerWeights], dilations: list[int], past_rows: list[int], input: Tensor
) -> list[Layout]:
    """The layouts of all layers for a block like `input`."""
    strides = [1] + [up_to(len(weights[0].bias), VECTORS * lanes_like(input))] * (len(weights) - 1)
    return [_layout_of(*each, input) for each in zip(weights, dilations, past_rows, strides, strict=True)]


def _layout_of(weights: LayerWeights, dilation: int, past_row: int, stride: int, input: Tensor) -> Layout:
    channels, own, taps = weights.dilated.shape
    lanes, samples, reach = lanes_like(input), input.shape[-1], (taps - 1) * dilation
    width = up_to(channels, VECTORS * lanes)
    padded = up_to(samples + 1, SAMPLES)  # one more, because tiles of the inputs read slightly past the end
    if own == 1:
        near, far, products, inputs, apart = reach, 0, 1, taps, dilation * stride
    else:
        products, inputs, apart = taps, own, 1
        far = sum((taps - 1 - tap) * dilation >= padded for tap in range(taps))
        near = max(0, taps - 1 - far) * dilation
    behind = (INPUTS - 1) * dilation if own == 1 else 0  # padding as in `padded`, where taps are the inputs
    row = (near + padded + behind) * stride
    return Layout(
        past_row, reach, near, own, stride, row, padded, width, lanes, dilation, products, far, inputs, apart, samples
    )  # fmt: skip


def up_to(count: int, multiple: int) -> int:
    """The next whole multiple."""
    return -(-count // multiple) * multiple


def by_sample(past: Tensor) -> tuple[Tensor, int]:
    """(batch, inputs, reach) stored sample by sample, and its `past_row`; copies nothing that the loops left."""
    if past.shape[0] == 1 or past.stride(0) == 0:  # a rest state shared by all rows
        return past[0].t().contiguous(), 0
    return past.transpose(1, 2).contiguous(), past[0].numel()


def pad_weights(weights: LayerWeights, layout: Layout) -> LayerWeights:
    """The weights as the loops take them: channels padded to P, W as (taps, inputs, P)."""
    width, slope = layout.width, weights.slope
    return LayerWeights(
        pad_units(weights.dilated.permute(2, 1, 0), width),
        pad_units(weights.bias, width),
        pad_units(slope, width) if slope.numel() else slope,
        pad_units(weights.residual, width),
    )


def pad_backwards(weights: LayerWeights, layout: Layout) -> Tensor:
    """W as the gradient of the input needs it, (taps, C, inputs padded to P)."""
    return pad_units(weights.dilated.permute(2, 0, 1), layout.width)


def room_for_gradients(shares: int, weights: LayerWeights, layout: Layout) -> LayerWeights:
    """Zeros for every share of the rows, to which the loops add the gradients of the results of `pad_weights`."""
    dilated, *others = weights
    rows = up_to(layout.inputs, INPUTS)
    return LayerWeights(
        dilated.new_zeros(shares, layout.products, rows, layout.width),
        *(each.new_zeros(shares, layout.width if each.numel() else 0) for each in others),
    )


def cut_gradients(found: LayerWeights, weights: LayerWeights, layout: Layout) -> LayerWeights:
    """The sum over all shares of `room_for_gradients`, in the shapes of the weights."""
    channels, own, taps = weights.dilated.shape
    dilated, *others = (each.sum(dim=0)[..., :channels] for each in found)
    return LayerWeights(dilated[:, : layout.inputs].reshape(taps, own, channels).permute(2, 1, 0), *others)


class Room(NamedTuple):
    """Forward results of some rows that the backward pass needs."""

    contexts: list[Tensor]
    """For each layer, (rows, context_row): its input, preceded by the near past."""
    bent: list[Tensor]
    """For each layer, (rows, padded, P): u, or tanh(u) if f is tanh."""
    last: Tensor
    """(rows, padded, P): h after all layers."""


def room_for(rows: int, layouts: list[Layout], like: Tensor) -> Room:
    """An uninitialised `Room` for this many rows."""
    padded, width = layouts[-1].padded, layouts[-1].width
    return Room(
        [like.new_empty(rows, layout.context_row) for layout in layouts],
        [like.new_empty(rows, padded, width) for _ in layouts],
        like.new_empty(rows, padded, width),
    )


def groups(first: int, last: int, layout: Layout) -> Iterator[tuple[int, int]]:
    """The first row and the last row, excluded, of each group that runs together."""
    count = rows_together(layout)
    for row in range(first, last, count):
        yield row, min(row + count, last)


def rows_together(layout: Layout) -> int:
    """The number of rows for which one layer's results are still in the cache when the next layer reads them."""
    return max(1, _CACHED // (layout.padded * layout.width))
