"""The compiled loops of a block of diagonal state spaces, forward and backward: one block of a net, some rows.

    m = tanh(W h + w);   x_n[k] = A_n x_n[k-1] + B_n m[k],   y = sum_n Re(C_n x_n) + D m;   h' = h + tanh(y)

A, B and C are complex, one set per channel; x is its state. Channels lie side by side, sample by sample, padded to
P (`tapezoo.layers.sample_products`). Modes are computed one after another, for as many channels at once as two
registers hold, over pieces short enough for the level-1 cache. The forward pass stores the state at every piece's
start, from which the backward pass recomputes those in between. All arrays are flat and contiguous.
"""

from __future__ import annotations

from tapezoo.layers.lanes import load, ones, spread, store, tanh, total, zeros
from tapezoo.layers.sample_products import SAMPLES, compiled, convolve, convolve_back, correlate

PIECE_SAMPLES = 64


@compiled
def _filter(m, coefficients, direct, states, y, rows, padded, width, lanes, modes, samples):  # type: ignore[no-untyped-def]
    pieces = -(-samples // PIECE_SAMPLES)
    for row in range(rows):
        for piece in range(pieces):
            begin = row * padded + piece * PIECE_SAMPLES
            end = row * padded + min(samples, (piece + 1) * PIECE_SAMPLES)
            for t in range(begin, end):
                for g in range(0, width, lanes):
                    store(y, t * width + g, load(direct, g) * load(m, t * width + g))
            for n in range(modes):
                at, to = 6 * n * width, ((row * (pieces + 1) + piece) * modes + n) * 2 * width
                for g in range(0, width, lanes):
                    a, b = load(coefficients, at + g), load(coefficients, at + width + g)
                    c, d = load(coefficients, at + 2 * width + g), load(coefficients, at + 3 * width + g)
                    e, f = load(coefficients, at + 4 * width + g), load(coefficients, at + 5 * width + g)
                    real, imag = load(states, to + g), load(states, to + width + g)
                    for t in range(begin, end):
                        heard = load(m, t * width + g)
                        real, imag = (c * heard - b * imag) + a * real, (d * heard + b * real) + a * imag
                        store(y, t * width + g, load(y, t * width + g) + e * real + f * imag)
                    store(states, to + 2 * modes * width + g, real)
                    store(states, to + 2 * modes * width + width + g, imag)


@compiled
def block_forward(  # type: ignore[no-untyped-def]
    h, weights, bias, coefficients, direct, states, m, z, following, padded, width, lanes, modes, samples, inputs,
    rows,
):  # fmt: skip
    """Fills `m`, z = tanh(y), `states` after the first one, and `following`, h'.

    Shape:
        h, m, z, following: (rows, padded, P); weights: W, (inputs, P), the inputs as rows; bias, direct: (P,).
        coefficients: (modes, 6, P): real and imaginary parts of A, B and C, the imaginary part of C negated.
        states: (rows, pieces + 1, modes, 2, P), real and imaginary parts.
    """
    whole = padded * width
    convolve(
        h, h, weights, bias, m, rows, 0, 0, 0, inputs, width, whole, padded, width, lanes, 0, 1, 0, inputs, 1
    )
    for at in range(0, rows * whole, lanes):
        store(m, at, tanh(load(m, at)))
    _filter(m, coefficients, direct, states, z, rows, padded, width, lanes, modes, samples)
    for row in range(rows):
        for t in range(row * padded, row * padded + samples):
            for g in range(0, width, lanes):
                at = t * width + g
                bent = tanh(load(z, at))
                store(z, at, bent)
                store(following, at, load(h, at) + bent)


@compiled
def _filter_back(  # type: ignore[no-untyped-def]
    m, coefficients, direct, states, between, d_y, d_m, d_states, d_coefficients, d_direct, rows, padded, width, lanes,
    modes, samples,
):  # fmt: skip
    """`d_states` holds the gradient of the last state, (rows, modes, 2, P), and is overwritten."""
    pieces = -(-samples // PIECE_SAMPLES)
    for row in range(rows):
        for piece in range(pieces - 1, -1, -1):
            begin = row * padded + piece * PIECE_SAMPLES
            end = row * padded + min(samples, (piece + 1) * PIECE_SAMPLES)
            d_at = row * (padded + SAMPLES) - row * padded
            for g in range(0, width, lanes):
                straight = load(d_direct, g)
                for t in range(begin, end):
                    gradient = load(d_y, t * width + g)
                    straight = straight + gradient * load(m, t * width + g)
                    store(d_m, (d_at + t) * width + g, gradient * load(direct, g))
                store(d_direct, g, straight)
            for n in range(modes):
                at, to = 6 * n * width, ((row * (pieces + 1) + piece) * modes + n) * 2 * width
                carried = (row * modes + n) * 2 * width
                for g in range(0, width, lanes):
                    a, b = load(coefficients, at + g), load(coefficients, at + width + g)
                    c, d = load(coefficients, at + 2 * width + g), load(coefficients, at + 3 * width + g)
                    real, imag = load(states, to + g), load(states, to + width + g)
                    for t in range(begin, end):
                        place, heard = 2 * (t - begin) * lanes, load(m, t * width + g)
                        store(between, place, real)
                        store(between, place + lanes, imag)
                        real, imag = (c * heard - b * imag) + a * real, (d * heard + b * real) + a * imag
                    store(between, 2 * (end - begin) * lanes, real)
                    store(between, 2 * (end - begin) * lanes + lanes, imag)
                    e, f = load(coefficients, at + 4 * width + g), load(coefficients, at + 5 * width + g)
                    d_a, d_b = load(d_coefficients, at + g), load(d_coefficients, at + width + g)
                    d_c, d_d = (
                        load(d_coefficients, at + 2 * width + g),
                        load(d_coefficients, at + 3 * width + g),
                    )
                    d_e, d_f = (
                        load(d_coefficients, at + 4 * width + g),
                        load(d_coefficients, at + 5 * width + g),
                    )
                    later, later_imag = load(d_states, carried + g), load(d_states, carried + width + g)
                    for t in range(end - 1, begin - 1, -1):
                        gradient, heard = load(d_y, t * width + g), load(m, t * width + g)
                        place = 2 * (t - begin) * lanes
                        d_e = d_e + gradient * load(between, place + 2 * lanes)
                        d_f = d_f + gradient * load(between, place + 3 * lanes)
                        real, imag = e * gradient + later, f * gradient + later_imag
                        x, x_imag = load(between, place), load(between, place + lanes)
                        d_a = d_a + real * x + imag * x_imag
                        d_b = d_b + imag * x - real * x_imag
                        d_c = d_c + real * heard
                        d_d = d_d + imag * heard
                        to_m = (d_at + t) * width + g
                        store(d_m, to_m, load(d_m, to_m) + c * real + d * imag)
                        later, later_imag = a * real + b * imag, a * imag - b * real
                    store(d_states, carried + g, later)
                    store(d_states, carried + width + g, later_imag)
                    store(d_coefficients, at + g, d_a)
                    store(d_coefficients, at + width + g, d_b)
                    store(d_coefficients, at + 2 * width + g, d_c)
                    store(d_coefficients, at + 3 * width + g, d_d)
                    store(d_coefficients, at + 4 * width + g, d_e)
                    store(d_coefficients, at + 5 * width + g, d_f)


@compiled
def block_backward(  # type: ignore[no-untyped-def]
    h, backwards, coefficients, direct, states, m, z, between, d_h, d_y, d_m, d_states, d_weights, d_bias,
    d_coefficients, d_direct, padded, width, lanes, modes, samples, inputs, rows,
):  # fmt: skip
    """From the gradient of h', adds that of the block's weights and replaces `d_h` by that of h.

    Shape:
        backwards: W, (outputs, P), its outputs as rows.
        d_h, d_y: (rows, padded, P); d_m: (rows, padded + SAMPLES, P), zeros after `samples`; `d_y`, `d_m` and
            `between`, (PIECE_SAMPLES + 1, 2, lanes), are workspace.
        d_states: (rows, modes, 2, P), gradient of the last state; overwritten.
        d_weights: (inputs in whole fours, P); d_bias, d_coefficients, d_direct: like the weights.
        others: As in `block_forward`.
    """
    for row in range(rows):
        for t in range(row * padded, row * padded + samples):
            for g in range(0, width, lanes):
                bent = load(z, t * width + g)
                store(d_y, t * width + g, load(d_h, t * width + g) * (ones(bent) - bent * bent))
    _filter_back(
        m, coefficients, direct, states, between, d_y, d_m, d_states, d_coefficients, d_direct, rows, padded, width,
        lanes, modes, samples,
    )  # fmt: skip
    for row in range(rows):
        for g in range(0, width, lanes):
            sum_ = load(d_bias, g)
            for t in range(samples):
                bent, at = load(m, (row * padded + t) * width + g), (row * (padded + SAMPLES) + t) * width + g
                gradient = load(d_m, at) * (ones(bent) - bent * bent)
                store(d_m, at, gradient)
                sum_ = sum_ + gradient
            store(d_bias, g, sum_)
    correlate(
        h, h, d_m, d_weights, rows, 0, 0, 0, inputs, width, padded * width, padded, width, lanes, 0, 1, 0, inputs, 1,
        samples,
    )  # fmt: skip
    convolve_back(d_m, backwards, d_h, rows, padded, width, lanes, 0, 1, inputs, samples)


@compiled
def lift_forward(input, weights, bias, h, padded, width, lanes, samples, rows):  # type: ignore[no-untyped-def]
    """`h = w x + v` from x (rows, samples); h (rows, padded, P), zeros after the block."""
    for row in range(rows):
        for t in range(padded):
            for g in range(0, width, lanes):
                lifted = zeros(load(bias, g))
                if t < samples:
                    lifted = load(bias, g) + load(weights, g) * spread(input, row * samples + t)
                store(h, (row * padded + t) * width + g, lifted)


@compiled
def lift_backward(  # type: ignore[no-untyped-def]
    input, weights, d_h, d_weights, d_bias, d_input, padded, width, lanes, samples, wanted, rows
):  # fmt: skip
    """Adds to the gradients of w and v from that of h, and fills that of x if it is `wanted`."""
    for row in range(rows):
        for g in range(0, width, lanes):
            weight, bias = load(d_weights, g), load(d_bias, g)
            for t in range(samples):
                gradient = load(d_h, (row * padded + t) * width + g)
                weight = weight + gradient * spread(input, row * samples + t)
                bias = bias + gradient
            store(d_weights, g, weight)
            store(d_bias, g, bias)
        if wanted:
            for t in range(samples):
                sum_ = zeros(load(weights, 0))
                for g in range(0, width, lanes):
                    sum_ = sum_ + load(weights, g) * load(d_h, (row * padded + t) * width + g)
                d_input[row * samples + t] = total(sum_)
