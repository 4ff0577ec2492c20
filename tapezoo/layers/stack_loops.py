"""The compiled loops of a stack of dilated convolutions with skips: forward, row by row.

    u = W * y + V c,   z = tanh(u), leaky_relu(u) or tanh(u_1) sigmoid(u_2),   y' = y + R z + r

Each row of the batch is computed through all layers before the next row, so that a layer's results are still in the
cache when the next layer reads them. In each layer, a few channels are computed at once, for as many samples as
three registers hold, so that the sums of the products and the activations stay in registers. All arrays are flat and
contiguous. Channels are padded with zeros to a multiple of four, C; samples are padded to whole tiles, and then so
that channels do not compete for the same cache sets.
"""

from __future__ import annotations

from tapezoo.layers.lane_tiles import add_products, store_tile
from tapezoo.layers.lanes import leaky_relu, sigmoid_of_twice, tanh
from tapezoo.layers.stack_tiles import (
    TILES,
    VECTORS,
    clear,
    compiled,
    copy_numbers,
    inlined,
    load_three,
    load_tile,
    store_three,
    times,
    zero_tile,
)


@inlined
def _tanhs(three):  # type: ignore[no-untyped-def]
    return tanh(three[0]), tanh(three[1]), tanh(three[2])


@inlined
def _sigmoids(three):  # type: ignore[no-untyped-def]
    return sigmoid_of_twice(three[0]), sigmoid_of_twice(three[1]), sigmoid_of_twice(three[2])


@inlined
def _leaks(three):  # type: ignore[no-untyped-def]
    return leaky_relu(three[0]), leaky_relu(three[1]), leaky_relu(three[2])


@inlined
def _keep(heads, at, z, lanes, first):  # type: ignore[no-untyped-def]
    if not first:
        before = load_three(heads, at, lanes)
        z = before[0] + z[0], before[1] + z[1], before[2] + z[2]
    store_three(heads, at, lanes, z)


@compiled
def _bend(  # type: ignore[no-untyped-def]
    layer, begin, end, told, told_at, told_step, columns, into, y, y_at, y_step, weights, taps, dilation, bent,
    bent_at, z, z_at, heads, heads_at, wide, channels, width, lanes, gated, leaky, summed,
):  # fmt: skip
    """The z from `begin` to `end`, from the layer's y; its newest tap at the block's first sample is at `y_at`."""
    for g in range(0, width, 4):
        for t in range(begin, end, VECTORS * lanes):
            tile = zero_tile(told, told_at)
            at = (layer * width + g) * columns
            tile = add_products(tile, into, at, columns, 1, told, told_at + t, lanes, told_step, columns)
            for tap in range(taps):
                at = ((layer * taps + tap) * width + g) * channels
                heard = y_at + t - (taps - 1 - tap) * dilation
                tile = add_products(tile, weights, at, channels, 1, y, heard, lanes, y_step, channels)
            if gated:
                a, b = _tanhs(tile[0]), _sigmoids(tile[1])
                c, d = _tanhs(tile[2]), _sigmoids(tile[3])
                store_tile(bent, bent_at + g * wide + t, wide, (a, b, c, d))
                one, two, o = times(a, b), times(c, d), (g // 2) * wide + t
                store_three(z, z_at + o, lanes, one)
                store_three(z, z_at + o + wide, lanes, two)
                if summed:
                    _keep(heads, heads_at + o, one, lanes, layer == 0)
                    _keep(heads, heads_at + o + wide, two, lanes, layer == 0)
            else:
                if leaky:
                    one, two, third, four = _leaks(tile[0]), _leaks(tile[1]), _leaks(tile[2]), _leaks(tile[3])
                else:
                    one, two, third, four = _tanhs(tile[0]), _tanhs(tile[1]), _tanhs(tile[2]), _tanhs(tile[3])
                o = g * wide + t
                store_tile(z, z_at + o, wide, (one, two, third, four))
                if summed:
                    _keep(heads, heads_at + o, one, lanes, layer == 0)
                    _keep(heads, heads_at + o + wide, two, lanes, layer == 0)
                    _keep(heads, heads_at + o + 2 * wide, third, lanes, layer == 0)
                    _keep(heads, heads_at + o + 3 * wide, four, lanes, layer == 0)


@compiled
def stack_forward(  # type: ignore[no-untyped-def]
    input, past, told, into, weights, residual, offset, context, z, bent, heads, output, after, places,
    dilations, layers, taps, own_channels, channels, width, columns, samples, padded, wide, row_context, lanes, gated,
    leaky, summed, first, last, kept, share,
):  # fmt: skip
    """Fills `context` with every layer's y, `z`, `bent`, and `heads` with the sum of z over the layers.

    Shape:
        input: (rows, own_channels, samples); past: (rows, own_channels, of all layers), each layer's left context.
        told: c, (rows, columns, padded); its last or last-but-one column is 1, and the weight of that is the bias.
        into: V, (layers, width, columns); those of sigmoids halved (`sigmoid_of_twice`).
        weights: W, (layers, taps, width, C), halved likewise. If gated, tanh and sigmoid alternate.
        residual: R, (layers, C, C); offset: r, (layers, C).
        context: (rows, row_context), containing (C, stride) for every layer.
        z: (rows, layers, C, wide); bent: (rows, layers, width, wide), tanh and sigmoid of gated layers.
        heads: (rows, C, wide), if `summed`. output: (rows, C, wide), y after the last layer.
        after: Like `past`, after the block.
        places: (layers, 3), for every layer's context: its start in the row, its stride, and the start of the block
            within a channel.
        dilations: (layers,).
        first, last: The rows to compute, `last` excluded.
        kept: 1, or 0 if no gradient is wanted: `context`, `bent` and, if `summed`, z then hold one row for each
            `share`.
    """
    row_past = after.size // (input.size // (own_channels * samples))
    past_samples = row_past // own_channels
    step = VECTORS * lanes
    for row in range(first, last):
        place = row if kept else share
        base, bent_row = place * row_context, place * layers * width * wide
        z_row = (place if summed else row) * layers * channels * wide
        begin = 0
        for layer in range(layers):
            at, stride, newest = base + places[3 * layer], places[3 * layer + 1], places[3 * layer + 2]
            reach = (taps - 1) * dilations[layer]
            for c in range(channels):
                here = at + c * stride + newest
                if c < own_channels:
                    told_past = row * row_past + c * past_samples + begin
                    copy_numbers(past, told_past, context, here - reach, reach)
                else:
                    clear(context, here - reach, reach)
                if layer == 0:
                    if c < own_channels:
                        heard = (row * own_channels + c) * samples
                        copy_numbers(input, heard, context, here, samples)
                        clear(context, here + samples, padded - samples)
                    else:
                        clear(context, here, padded)
            y_at, z_at, bent_at = (
                at + newest,
                z_row + layer * channels * wide,
                bent_row + layer * width * wide,
            )
            last_layer = layer == layers - 1
            next_at, next_stride = row * channels * wide, wide
            if not last_layer:
                next_at = base + places[3 * layer + 3] + places[3 * layer + 5]
                next_stride = places[3 * layer + 4]
            one = row * columns * padded + (columns - 1) * padded
            for start in range(0, padded, TILES * step):
                stop = min(start + TILES * step, padded)
                _bend(
                    layer, start, stop, told, row * columns * padded, padded, columns, into, context, y_at, stride,
                    weights, taps, dilations[layer], bent, bent_at, z, z_at, heads, row * channels * wide, wide,
                    channels, width, lanes, gated, leaky, summed,
                )  # fmt: skip
                for o in range(0, channels, 4):
                    for t in range(start, stop, step):
                        tile = load_tile(context, y_at + o * stride + t, stride)
                        tile = add_products(
                            tile, offset, layer * channels + o, 1, 0, told, one + t, lanes, 0, 1
                        )
                        to = (layer * channels + o) * channels
                        tile = add_products(
                            tile, residual, to, channels, 1, z, z_at + t, lanes, wide, channels
                        )
                        to = next_at + o * next_stride + t
                        if last_layer:
                            store_tile(output, to, next_stride, tile)
                        else:
                            store_tile(context, to, next_stride, tile)
            for c in range(own_channels):
                end, to = y_at + c * stride + samples, row * row_past + c * past_samples + begin
                copy_numbers(context, end - reach, after, to, reach)
            begin += reach
