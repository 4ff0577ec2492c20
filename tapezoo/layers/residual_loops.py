"""The compiled loops of dilated convolutions with weighted residuals, forward: one layer for some rows.

    u = W * h + b,   h' = f(u) + r h,   f a PReLU per channel or tanh;   after the last layer o . h + o_0

Channels lie side by side, sample by sample (`tapezoo.layers.sample_products`), so that whole cache lines are read even
with a large dilation. A layer reads its context: its input, preceded by the part of its past that some tap reads in one
tile with the block. Taps that reach back further read the past itself, which is then never copied. All
arrays are flat and contiguous.
"""

from __future__ import annotations

from tapezoo.layers.lanes import load, spread, store, tanh, total, where_positive, zeros
from tapezoo.layers.sample_products import compiled, convolve


@compiled
def _hear_past(  # type: ignore[no-untyped-def]
    past, context, rows, past_row, reach, near, own, stride, context_row
):  # fmt: skip
    """Copies the newest `near` samples of the past to before the block."""
    for row in range(rows):
        for n in range(near):
            at, to = row * past_row + (reach - near + n) * own, row * context_row + n * stride
            for c in range(own):
                context[to + c] = past[at + c]


@compiled
def _leave_past(  # type: ignore[no-untyped-def]
    past, context, after, rows, past_row, reach, near, own, stride, context_row, samples
):  # fmt: skip
    """Stores the newest `reach` samples after the block."""
    old = max(0, reach - samples)
    for row in range(rows):
        at, to = row * past_row + (reach - old) * own, row * reach * own
        for n in range(old * own):
            after[to + n] = past[at + n]
        for n in range(old, reach):
            at = row * context_row + (near + samples - reach + n) * stride
            for c in range(own):
                after[to + n * own + c] = context[at + c]


@compiled
def _bend_by_prelu(  # type: ignore[no-untyped-def]
    u, slope, context, residual, following, rows, near, own, stride, context_row, padded, width, lanes, to, to_row
):  # fmt: skip
    for row in range(rows):
        for t in range(padded):
            heard = row * context_row + (near + t) * stride
            for g in range(0, width, lanes):
                x = load(u, (row * padded + t) * width + g)
                bent = where_positive(x, x, load(slope, g) * x)
                h = spread(context, heard) if own == 1 else load(context, heard + g)
                store(following, to + row * to_row + t * width + g, bent + load(residual, g) * h)


@compiled
def _bend_by_tanh(  # type: ignore[no-untyped-def]
    u, context, residual, following, rows, near, own, stride, context_row, padded, width, lanes, to, to_row
):  # fmt: skip
    for row in range(rows):
        for t in range(padded):
            heard = row * context_row + (near + t) * stride
            for g in range(0, width, lanes):
                at = (row * padded + t) * width + g
                bent = tanh(load(u, at))
                store(u, at, bent)
                h = spread(context, heard) if own == 1 else load(context, heard + g)
                store(following, to + row * to_row + t * width + g, bent + load(residual, g) * h)


@compiled
def layer_forward(  # type: ignore[no-untyped-def]
    past, context, weights, bias, slope, residual, u, following, after, past_row, reach, near, own, stride,
    context_row, padded, width, lanes, dilation, products, far, inputs, apart, samples, to, to_row, rows,
):  # fmt: skip
    """Fills `u`, `after`, and `following`, the context of the next layer, from the start of the block.

    Shape:
        past, after: (rows, reach, own); if `past_row` is 0, `past` is shared by all rows, (reach, own).
        context: (rows, near + padded and more, stride), with the layer's input from `near` on.
        weights: W, (products, inputs, P): one matrix product per tap or, if `own` is one channel, one product for all
            taps, whose inputs are `apart` numbers apart.
        bias: (P,); slope: (P,), or (0,) for tanh; residual: (P,).
        u: (rows, padded, P); for tanh, its result.
        following: Sample t of row n begins at `to + n to_row + t P`.
        far: The number of taps that read only the past.
    """
    _hear_past(past, context, rows, past_row, reach, near, own, stride, context_row)
    convolve(
        past, context, weights, bias, u, rows, past_row, reach, near, own, stride, context_row, padded, width, lanes,
        dilation, products, far, inputs, apart,
    )  # fmt: skip
    if slope.size:
        _bend_by_prelu(
            u, slope, context, residual, following, rows, near, own, stride, context_row, padded, width, lanes, to,
            to_row,
        )  # fmt: skip
    else:
        _bend_by_tanh(
            u, context, residual, following, rows, near, own, stride, context_row, padded, width, lanes, to, to_row
        )  # fmt: skip
    _leave_past(past, context, after, rows, past_row, reach, near, own, stride, context_row, samples)


@compiled
def head_forward(h, weights, bias, output, padded, width, lanes, samples, rows):  # type: ignore[no-untyped-def]
    """`output = o . h + o_0`, (rows, samples), from h (rows, padded, P)."""
    for row in range(rows):
        for t in range(samples):
            at = (row * padded + t) * width
            sum_ = zeros(load(weights, 0))
            for g in range(0, width, lanes):
                sum_ = sum_ + load(weights, g) * load(h, at + g)
            output[row * samples + t] = total(sum_) + bias[0]
