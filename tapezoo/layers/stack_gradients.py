"""The compiled loops of `tapezoo.layers.stack_loops`, backward: the gradient, row by row."""

from __future__ import annotations

from tapezoo.layers.lane_tiles import add_dots, add_products, store_tile
from tapezoo.layers.lanes import leaky_slope, load, ones, total, zeros
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
)

LONGEST_DOT = 128  # vectors: four channels of this length stay in the level-1 cache


@compiled
def _add_correlations(  # type: ignore[no-untyped-def]
    result, result_at, result_step, left, left_at, left_step, rows, right, right_at, right_step, columns, vectors,
    lanes,
):  # fmt: skip
    """Adds `sum_t left[r, t] right[k, t]` to `result` (rows, columns); rows in groups of four, columns of two."""
    for t in range(0, vectors, LONGEST_DOT):
        count = min(LONGEST_DOT, vectors - t)
        for r in range(0, rows, 4):
            for k in range(0, columns, 2):
                zero = zeros(load(left, left_at))
                pair = zero, zero
                one, two, third, four = add_dots(
                    (pair, pair, pair, pair), left, left_at + r * left_step + t * lanes, left_step,
                    right, right_at + k * right_step + t * lanes, right_step, count,
                )  # fmt: skip
                to = result_at + r * result_step + k
                result[to] += total(one[0])
                result[to + 1] += total(one[1])
                result[to + result_step] += total(two[0])
                result[to + result_step + 1] += total(two[1])
                result[to + 2 * result_step] += total(third[0])
                result[to + 2 * result_step + 1] += total(third[1])
                result[to + 3 * result_step] += total(four[0])
                result[to + 3 * result_step + 1] += total(four[1])


@inlined
def _through_tanh(gradient, z):  # type: ignore[no-untyped-def]
    one = ones(z[0])
    return (
        gradient[0] * (one - z[0] * z[0]),
        gradient[1] * (one - z[1] * z[1]),
        gradient[2] * (one - z[2] * z[2]),
    )


@inlined
def _through_leak(gradient, z):  # type: ignore[no-untyped-def]
    return times(gradient, (leaky_slope(z[0]), leaky_slope(z[1]), leaky_slope(z[2])))


@inlined
def _through_sigmoid(gradient, s):  # type: ignore[no-untyped-def]
    """The gradient with respect to the sigmoid's argument before it is halved (`sigmoid_of_twice`)."""
    one = ones(s[0])
    return (
        gradient[0] * s[0] * (one - s[0]),
        gradient[1] * s[1] * (one - s[1]),
        gradient[2] * s[2] * (one - s[2]),
    )


@compiled
def _straighten(  # type: ignore[no-untyped-def]
    layer, begin, end, d_heads, d_heads_at, residual, d_y, d_y_at, heard, z, z_at, bent, bent_at, d_u, d_u_at, wide,
    channels, lanes, gated, leaky,
):  # fmt: skip
    """The gradient of u from `begin` to `end`, from those of the skip and, if `heard`, of y'."""
    for i in range(0, channels, 4):
        for t in range(begin, end, VECTORS * lanes):
            tile = load_tile(d_heads, d_heads_at + i * wide + t, wide)
            if heard:
                at = layer * channels * channels + i
                tile = add_products(tile, residual, at, 1, channels, d_y, d_y_at + t, lanes, wide, channels)
            if gated:
                for half in range(2):
                    at, to = bent_at + 2 * i * wide + t, d_u_at + 2 * i * wide + t
                    a, b, c, d = load_tile(bent, at + 4 * half * wide, wide)
                    one, two = (tile[0], tile[1]) if half == 0 else (tile[2], tile[3])
                    four = (
                        _through_tanh(times(one, b), a),
                        _through_sigmoid(times(one, a), b),
                        _through_tanh(times(two, d), c),
                        _through_sigmoid(times(two, c), d),
                    )
                    store_tile(d_u, to + 4 * half * wide, wide, four)
            else:
                a, b, c, d = load_tile(z, z_at + i * wide + t, wide)
                if leaky:
                    four = (
                        _through_leak(tile[0], a),
                        _through_leak(tile[1], b),
                        _through_leak(tile[2], c),
                        _through_leak(tile[3], d),
                    )
                else:
                    four = (
                        _through_tanh(tile[0], a),
                        _through_tanh(tile[1], b),
                        _through_tanh(tile[2], c),
                        _through_tanh(tile[3], d),
                    )
                store_tile(d_u, d_u_at + i * wide + t, wide, four)


@compiled
def stack_backward(  # type: ignore[no-untyped-def]
    given_y, given_heads, given_after, told, into, weights, residual, context, z, bent, d_y, d_heads, d_u, for_into,
    for_weights, for_residual, for_offset, for_input, for_told, places, dilations, layers, taps, own_channels,
    channels, width, columns, samples, padded, wide, row_context, lanes, gated, leaky, summed, heard, carried, first,
    last, share, wanted,
):  # fmt: skip
    """The gradient, row by row, from the last layer back to the first.

    Shape:
        given_y: Gradient of y after the last layer, (rows, own_channels, samples); unused unless `heard`.
        given_after: Gradient of each layer's context after the block, like `past`; unused unless `carried`.
        given_heads: Gradient of the sum of z, (rows, own_channels, samples), or unless `summed` of every layer's z,
            (rows, layers own_channels, samples).
        d_y, d_heads: (shares, C, wide), workspace; d_u: (shares, width, wide), zeros after `samples`.
        for_into, for_weights, for_residual, for_offset: (shares, ...) like the weights; gradients are added to them.
        for_input: (rows, C, wide), the gradient of y before the first layer.
        for_told: (rows, columns, padded), to which the gradient of c is added, if `wanted`.
        others: As in `stack_forward`.
    """
    step = VECTORS * lanes
    d_y_at, d_heads_at, d_u_at = share * channels * wide, share * channels * wide, share * width * wide
    ours, vectors = share * layers, padded // lanes
    for row in range(first, last):
        told_at = row * columns * padded
        for c in range(channels):
            to = d_y_at + c * wide
            clear(d_y, to, wide)
            if heard and c < own_channels:
                at = (row * own_channels + c) * samples
                copy_numbers(given_y, at, d_y, to, samples)
        reached = heard
        after_samples = given_after.size // (for_input.size // (channels * wide)) // own_channels
        row_after, begin = row * own_channels * after_samples, after_samples
        for layer in range(layers - 1, -1, -1):
            if layer == layers - 1 or not summed:
                for c in range(channels):
                    to = d_heads_at + c * wide
                    clear(d_heads, to, wide)
                    if c < own_channels:
                        at = (row * own_channels + c) * samples
                        if not summed:
                            at = ((row * layers + layer) * own_channels + c) * samples
                        copy_numbers(given_heads, at, d_heads, to, samples)
            z_at, bent_at = (row * layers + layer) * channels * wide, (row * layers + layer) * width * wide
            at, stride = row * row_context + places[3 * layer], places[3 * layer + 1]
            newest = at + places[3 * layer + 2]
            for start in range(0, padded, TILES * step):
                _straighten(
                    layer, start, min(start + TILES * step, padded), d_heads, d_heads_at, residual, d_y, d_y_at,
                    reached, z, z_at, bent, bent_at, d_u, d_u_at, wide, channels, lanes, gated, leaky,
                )  # fmt: skip
            if reached:
                _add_correlations(
                    for_residual, (ours + layer) * channels * channels, channels, d_y, d_y_at, wide, channels,
                    z, z_at, wide, channels, vectors, lanes,
                )  # fmt: skip
                for o in range(channels):
                    sum_ = for_offset[(ours + layer) * channels + o]
                    for t in range(samples):
                        sum_ += d_y[d_y_at + o * wide + t]
                    for_offset[(ours + layer) * channels + o] = sum_
            _add_correlations(
                for_into, (ours + layer) * width * columns, columns, d_u, d_u_at, wide, width,
                told, told_at, padded, columns, vectors, lanes,
            )  # fmt: skip
            for tap in range(taps):
                _add_correlations(
                    for_weights, ((ours + layer) * taps + tap) * width * channels, channels, d_u, d_u_at, wide, width,
                    context, newest - (taps - 1 - tap) * dilations[layer], stride, channels, vectors, lanes,
                )  # fmt: skip
            for start in range(0, padded, TILES * step):
                stop = min(start + TILES * step, padded)
                for i in range(0, channels, 4):
                    for t in range(start, stop, step):
                        tile = load_tile(d_y, d_y_at + i * wide + t, wide)
                        for tap in range(taps - 1, -1, -1):
                            later = t + (taps - 1 - tap) * dilations[layer]
                            if later < samples:  # everything after the block is zero
                                tile = add_products(
                                    tile, weights, (layer * taps + tap) * width * channels + i, 1, channels,
                                    d_u, d_u_at + later, lanes, wide, width,
                                )  # fmt: skip
                        store_tile(d_y, d_y_at + i * wide + t, wide, tile)
            if wanted:
                for t in range(0, padded, step):
                    for k in range(0, columns, 2):
                        to = told_at + k * padded + t
                        pair = load_three(for_told, to, lanes), load_three(for_told, to + padded, lanes)
                        pair = add_products(
                            pair,
                            into,
                            layer * width * columns + k,
                            1,
                            columns,
                            d_u,
                            d_u_at + t,
                            lanes,
                            wide,
                            width,
                        )
                        store_three(for_told, to, lanes, pair[0])
                        store_three(for_told, to + padded, lanes, pair[1])
            if carried:
                reach = (taps - 1) * dilations[layer]
                begin -= reach
                for c in range(own_channels):
                    at = row_after + c * after_samples + begin
                    for n in range(max(0, reach - samples), reach):  # older ones are not in this block
                        d_y[d_y_at + c * wide + samples - reach + n] += given_after[at + n]
            reached = 1
        at = row * channels * wide
        copy_numbers(d_y, d_y_at, for_input, at, channels * wide)
