"""The weights of a state transition net as sums of rows of a table, and its loop in pieces of like weights."""

from __future__ import annotations

import numpy as np

from tapezoo.runtime.kernels.transition_loop import FEEDBACK, FIRST_BIAS, HEAD, HEAD_BIAS, LIMIT, derive, play
from tapezoo.runtime.kernels.vector import compiled, lanes_of, narrow


@compiled
def table_shares(controls, axes, shares, rows):  # type: ignore[no-untyped-def]
    """The points around the controls in a table with so many positions on each axis (0: no axis), and their shares.

    Returns:
        How many points.
    """
    found, shares[0], rows[0] = 1, np.float32(1), 0
    for control in range(len(axes)):
        positions = axes[control]
        if positions:
            place = controls[control] * np.float32(positions - 1)
            floor = np.floor(place)
            # any number gives a point of the table, and NaN its first one
            low = np.int64(floor) if np.float32(0) < floor < np.float32(positions - 2) else np.int64(0)
            low = np.int64(positions - 2) if floor >= np.float32(positions - 2) else low
            above = place - np.float32(low)
            for corner in range(found):
                row, share = rows[corner] * positions + low, shares[corner]
                rows[corner], rows[found + corner] = row, row + 1
                shares[corner], shares[found + corner] = share * (np.float32(1) - above), share * above
            found *= 2
    return found


@compiled
def polynomial_shares(controls, exponents, shares, rows):  # type: ignore[no-untyped-def]
    """The value of every term, products of powers of `2 c - 1`; a row of the table is a term's coefficients.

    Returns:
        How many terms.
    """
    for term in range(len(exponents)):
        share = np.float32(1)
        for control in range(exponents.shape[1]):
            for _ in range(exponents[term, control]):
                share *= np.float32(2) * controls[control] - np.float32(1)
        shares[term], rows[term] = share, term
    return len(exponents)


@compiled
def mix(like, controls, found, shares, rows, table, inputs, weights):  # type: ignore[no-untyped-def]
    """Weights as `transition_loop.play` takes them, from rows of a flat table that hold all but what `derive` makes.

    Behind them a row has a vector for each control of `inputs`, which that control adds to the first layer's biases,
    then the scale of M and what each of those controls adds to it.
    """
    lanes = lanes_of(like)
    own = (1 + lanes) * lanes
    size, bias = len(weights) - own, own + FIRST_BIAS * lanes
    scales = size + len(inputs) * lanes
    scale = np.float32(0)
    for number in range(size):
        weights[own + number] = np.float32(0)
    for index in range(found):
        share, row = shares[index], rows[index] * (scales + 1 + len(inputs))
        for number in range(size):
            weights[own + number] += share * table[row + number]
        for place in range(len(inputs)):
            added, behind = share * controls[inputs[place]], row + size + place * lanes
            for lane in range(lanes):
                weights[bias + lane] += added * table[behind + lane]
            scale += added * table[row + scales + 1 + place]
        scale += share * table[row + scales]
    for lane in range(lanes):
        weights[own + FEEDBACK * lanes + lane] /= scale
        weights[own + HEAD * lanes + lane] *= scale
        weights[own + HEAD_BIAS * lanes + lane] *= scale
        weights[own + LIMIT * lanes + lane] *= scale
    derive(like, weights)


@compiled
def next_piece(signal, start, held):  # type: ignore[no-untyped-def]
    """Where the piece ends in which no control changes, and whether it goes on with those held, which it replaces."""
    stop, alike = signal.shape[1], len(held) > 0  # without controls it cannot show what is mixed already
    for control in range(len(held)):
        value = signal[1 + control, start]
        alike &= value == held[control]
        held[control] = value
        at = start + 1
        while at < stop and signal[1 + control, at] == value:
            at += 1
        stop = at
    return stop, alike


@compiled
def play_table(  # type: ignore[no-untyped-def]
    like, signal, output, memory, weights, held, table, inputs, axes, shares, rows, curves, settings
):
    """See `transition_loop.play`, with weights mixed from the points of a table."""
    start = 0
    while start < len(output):
        stop, alike = next_piece(signal, start, held)
        if not alike:
            found = table_shares(held, axes, shares, rows)
            mix(like, held, found, shares, rows, table, inputs, weights)
        play(like, signal, output, memory, weights, curves, settings, start, stop, 0)
        start = stop


@compiled
def play_polynomial(  # type: ignore[no-untyped-def]
    like, signal, output, memory, weights, held, table, inputs, exponents, shares, rows, curves, settings
):
    """See `transition_loop.play`, with weights that are polynomials of the controls."""
    start = 0
    while start < len(output):
        stop, alike = next_piece(signal, start, held)
        if not alike:
            found = polynomial_shares(held, exponents, shares, rows)
            mix(like, held, found, shares, rows, table, inputs, weights)
        play(like, signal, output, memory, weights, curves, settings, start, stop, 0)
        start = stop


@compiled
def play_table_4(  # type: ignore[no-untyped-def]
    signal, output, memory, weights, held, table, inputs, axes, shares, rows, curves, settings
):
    """See `play_table`."""
    like = narrow(4)
    play_table(
        like, signal, output, memory, weights, held, table, inputs, axes, shares, rows, curves, settings
    )


@compiled
def play_table_8(  # type: ignore[no-untyped-def]
    signal, output, memory, weights, held, table, inputs, axes, shares, rows, curves, settings
):
    """See `play_table`."""
    like = narrow(8)
    play_table(
        like, signal, output, memory, weights, held, table, inputs, axes, shares, rows, curves, settings
    )


@compiled
def play_table_16(  # type: ignore[no-untyped-def]
    signal, output, memory, weights, held, table, inputs, axes, shares, rows, curves, settings
):
    """See `play_table`."""
    like = narrow(16)
    play_table(
        like, signal, output, memory, weights, held, table, inputs, axes, shares, rows, curves, settings
    )


@compiled
def play_polynomial_4(  # type: ignore[no-untyped-def]
    signal, output, memory, weights, held, table, inputs, exponents, shares, rows, curves, settings
):
    """See `play_polynomial`."""
    like = narrow(4)
    play_polynomial(
        like, signal, output, memory, weights, held, table, inputs, exponents, shares, rows, curves, settings
    )


@compiled
def play_polynomial_8(  # type: ignore[no-untyped-def]
    signal, output, memory, weights, held, table, inputs, exponents, shares, rows, curves, settings
):
    """See `play_polynomial`."""
    like = narrow(8)
    play_polynomial(
        like, signal, output, memory, weights, held, table, inputs, exponents, shares, rows, curves, settings
    )


@compiled
def play_polynomial_16(  # type: ignore[no-untyped-def]
    signal, output, memory, weights, held, table, inputs, exponents, shares, rows, curves, settings
):
    """See `play_polynomial`."""
    like = narrow(16)
    play_polynomial(
        like, signal, output, memory, weights, held, table, inputs, exponents, shares, rows, curves, settings
    )
