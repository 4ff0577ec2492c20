"""How a residual stack's arrays lie in memory: what its compiled loops need to know of each layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor

from tapezoo.layers.row_blocks import lanes_like, pad_units
from tapezoo.layers.sample_products import INPUTS, SAMPLES, VECTORS

_CACHED = (
    2**16
)  # numbers: what the rows that go together leave of each layer, a quarter of a common second cache


class LayerWeights(NamedTuple):
    """Of `u = W * h + b`, `h' = f(u) + r h`."""

    dilated: Tensor
    """W, (C, inputs, taps)."""
    bias: Tensor
    """b, (C,)."""
    slope: Tensor
    """Of a PReLU, (C,); or (0,), and f is tanh."""
    residual: Tensor
    """r, (C,)."""


class Layout(NamedTuple):
    """Of one layer; the loops take all of it, in this order (`tapezoo.layers.residual_loops.layer_forward`)."""

    past_row: int
    """Numbers from a row's past to the next one's; 0 where all are the same."""
    reach: int
    """Samples of the past."""
    near: int
    """Of these, so many are copied before the block."""
    own: int
    """Channels of the input."""
    stride: int
    """Numbers from a sample of the context to the next one."""
    context_row: int
    """Numbers of a row's context."""
    padded: int
    """Samples of the block, in whole tiles."""
    width: int
    """Channels of the output, in whole tiles: P."""
    lanes: int
    dilation: int
    products: int
    """Products of matrices that the convolution is: one for each tap, or one that hears all taps of one channel."""
    far: int
    """Of these, so many hear the past alone."""
    inputs: int
    """Rows of a product's matrix."""
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
    padded = up_to(samples + 1, SAMPLES)  # one more: tiles of the inputs read some numbers on
    if own == 1:
        near, far, products, inputs, apart = reach, 0, 1, taps, dilation * stride
    else:
        products, inputs, apart = taps, own, 1
        far = sum((taps - 1 - tap) * dilation >= padded for tap in range(taps))
        near = max(0, taps - 1 - far) * dilation
    behind = (INPUTS - 1) * dilation if own == 1 else 0  # as `padded`, where inputs are taps
    row = (near + padded + behind) * stride
    return Layout(
        past_row, reach, near, own, stride, row, padded, width, lanes, dilation, products, far, inputs, apart, samples
    )  # fmt: skip


def up_to(count: int, multiple: int) -> int:
    """The next whole multiple."""
    return -(-count // multiple) * multiple


def by_sample(past: Tensor) -> tuple[Tensor, int]:
    """(batch, inputs, reach) sample after sample, and its `past_row`: nothing is copied of what the loops left."""
    if past.shape[0] == 1 or past.stride(0) == 0:  # a rest, the same for all rows
        return past[0].t().contiguous(), 0
    return past.transpose(1, 2).contiguous(), past[0].numel()


def pad_weights(weights: LayerWeights, layout: Layout) -> LayerWeights:
    """As the loops take them: channels padded to P, W as (taps, inputs, P)."""
    width, slope = layout.width, weights.slope
    return LayerWeights(
        pad_units(weights.dilated.permute(2, 1, 0), width),
        pad_units(weights.bias, width),
        pad_units(slope, width) if slope.numel() else slope,
        pad_units(weights.residual, width),
    )


def pad_backwards(weights: LayerWeights, layout: Layout) -> Tensor:
    """W as the gradient of the input takes it, (taps, C, inputs padded to P)."""
    return pad_units(weights.dilated.permute(2, 0, 1), layout.width)


def room_for_gradients(shares: int, weights: LayerWeights, layout: Layout) -> LayerWeights:
    """Zeros, of every share, to which the loops add the gradient of what `pad_weights` gave."""
    dilated, *others = weights
    rows = up_to(layout.inputs, INPUTS)
    return LayerWeights(
        dilated.new_zeros(shares, layout.products, rows, layout.width),
        *(each.new_zeros(shares, layout.width if each.numel() else 0) for each in others),
    )


def cut_gradients(found: LayerWeights, weights: LayerWeights, layout: Layout) -> LayerWeights:
    """The sum over all shares of what `room_for_gradients` gave, shaped as the weights."""
    channels, own, taps = weights.dilated.shape
    dilated, *others = (each.sum(dim=0)[..., :channels] for each in found)
    return LayerWeights(dilated[:, : layout.inputs].reshape(taps, own, channels).permute(2, 1, 0), *others)


class Room(NamedTuple):
    """What is computed forwards of some rows, and needed backwards."""

    contexts: list[Tensor]
    """Of each layer, (rows, context_row): its input and the near past before it."""
    bent: list[Tensor]
    """Of each layer, (rows, padded, P): u, or where f is tanh its tanh."""
    last: Tensor
    """(rows, padded, P): h after all layers."""


def room_for(rows: int, layouts: list[Layout], like: Tensor) -> Room:
    """Of that many rows, not filled."""
    padded, width = layouts[-1].padded, layouts[-1].width
    return Room(
        [like.new_empty(rows, layout.context_row) for layout in layouts],
        [like.new_empty(rows, padded, width) for _ in layouts],
        like.new_empty(rows, padded, width),
    )


def groups(first: int, last: int, layout: Layout) -> Iterator[tuple[int, int]]:
    """The first and the last row, excluded, of as many as go together."""
    count = rows_together(layout)
    for row in range(first, last, count):
        yield row, min(row + count, last)


def rows_together(layout: Layout) -> int:
    """So many rows that what a layer leaves of them lies in the cache when the next one reads it."""
    return max(1, _CACHED // (layout.padded * layout.width))
