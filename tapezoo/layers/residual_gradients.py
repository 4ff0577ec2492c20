"""The compiled loops of `tapezoo.layers.residual_loops`, backward: the gradient of one layer for some rows."""

from __future__ import annotations

from tapezoo.layers.lanes import load, ones, spread, store, total, where_positive, zeros
from tapezoo.layers.sample_products import SAMPLES, compiled, convolve_back, correlate


@compiled
def head_backward(  # type: ignore[no-untyped-def]
    d_output, h, weights, d_h, d_weights, d_bias, padded, width, lanes, samples, rows
):  # fmt: skip
    """Fills `d_h`, (rows, padded, P), and adds to the gradient of o and o_0; see `head_forward`."""
    for row in range(rows):
        for g in range(0, width, lanes):
            weight, sum_ = load(weights, g), load(d_weights, g)
            for t in range(samples):
                at = (row * padded + t) * width + g
                gradient = spread(d_output, row * samples + t)
                store(d_h, at, gradient * weight)
                sum_ = sum_ + gradient * load(h, at)
            store(d_weights, g, sum_)
        for t in range(samples):
            d_bias[0] += d_output[row * samples + t]


@compiled
def _straighten(  # type: ignore[no-untyped-def]
    d_h, u, slope, context, residual, d_u, d_bias, d_slope, d_residual, rows, near, own, stride, context_row, padded,
    width, lanes, samples,
):  # fmt: skip
    for row in range(rows):
        for g in range(0, width, lanes):
            weight, bias, straight = load(residual, g), load(d_bias, g), load(d_residual, g)
            one, zero = ones(weight), zeros(weight)
            steep = load(slope, g) if slope.size else zero
            steeper = load(d_slope, g) if slope.size else zero
            for t in range(samples):
                at, heard = (row * padded + t) * width + g, row * context_row + (near + t) * stride
                gradient, x = load(d_h, at), load(u, at)
                h = spread(context, heard) if own == 1 else load(context, heard + g)
                straight = straight + gradient * h
                store(d_h, at, gradient * weight)
                if slope.size:
                    steeper = steeper + where_positive(x, zero, gradient * x)
                    gradient = where_positive(x, gradient, gradient * steep)
                else:
                    gradient = gradient * (one - x * x)
                bias = bias + gradient
                store(d_u, (row * (padded + SAMPLES) + t) * width + g, gradient)
            store(d_bias, g, bias)
            store(d_residual, g, straight)
            if slope.size:
                store(d_slope, g, steeper)


@compiled
def _convolve_back_to_one(  # type: ignore[no-untyped-def]
    d_u, weights, d_h, rows, padded, width, lanes, dilation, taps, samples
):  # fmt: skip
    """Like `convolve_back`, for a layer whose input has one channel; the result goes to the first channel of `d_h`."""
    for row in range(rows):
        u_at = row * (padded + SAMPLES)
        for t in range(samples):
            at = (row * padded + t) * width
            sum_ = zeros(load(weights, 0))
            for g in range(0, width, lanes):
                sum_ = sum_ + load(d_h, at + g)
            for tap in range(taps):
                later = t + (taps - 1 - tap) * dilation
                if later < samples:
                    for g in range(0, width, lanes):
                        sum_ = sum_ + load(weights, tap * width + g) * load(d_u, (u_at + later) * width + g)
            for g in range(0, width, lanes):
                store(d_h, at + g, zeros(sum_))
            d_h[at] = total(sum_)


@compiled
def layer_backward(  # type: ignore[no-untyped-def]
    past, context, weights, backwards, slope, residual, u, d_h, d_u, d_after, d_weights, d_bias, d_slope, d_residual,
    past_row, reach, near, own, stride, context_row, padded, width, lanes, dilation, products, far, inputs, apart,
    samples, taps, wanted, rows,
):  # fmt: skip
    """From the gradient of a layer's output, adds that of its weights and replaces `d_h` by that of its input.

    Shape:
        backwards: W, (taps, own, P): the outputs of a tap as rows; unused if `own` is 1.
        d_h: (rows, padded, P), of the output; on return of the input if that is `wanted`, without the part of
            `d_after`.
        d_u: (rows, padded + SAMPLES, P), workspace, zeros after `samples`.
        d_after: (rows, reach, own), gradient of the context left for the next block, or (0,).
        d_weights: (products, inputs in whole fours, P); d_bias, d_slope, d_residual: (P,).
        others: As in `layer_forward`.
    """
    _straighten(
        d_h, u, slope, context, residual, d_u, d_bias, d_slope, d_residual, rows, near, own, stride, context_row,
        padded, width, lanes, samples,
    )  # fmt: skip
    correlate(
        past, context, d_u, d_weights, rows, past_row, reach, near, own, stride, context_row, padded, width, lanes,
        dilation, products, far, inputs, apart, samples,
    )  # fmt: skip
    if not wanted:
        return
    if own == 1:
        _convolve_back_to_one(d_u, weights, d_h, rows, padded, width, lanes, dilation, taps, samples)
    else:
        convolve_back(d_u, backwards, d_h, rows, padded, width, lanes, dilation, taps, own, samples)
    if d_after.size:
        for row in range(rows):
            for n in range(max(0, reach - samples), reach):  # older samples belong to the previous block
                for c in range(own):
                    d_h[(row * padded + samples - reach + n) * width + c] += d_after[
                        (row * reach + n) * own + c
                    ]
