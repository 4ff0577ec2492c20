"""The compiled loops of the LSTM and the GRU: a block of many rows, forward, and backward with the gradient.

A few rows are computed at once, with all gates of as many units as a register holds, so that the sums of the products
and the activations stay in registers. All arrays are flat and contiguous. Units are padded with zeros to whole
registers; `units` counts the padding, U, `size` does not. The gates of a row follow one another, each U long.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

from tapezoo.compiled import compiled_freely
from tapezoo.layers.lane_tiles import add_products
from tapezoo.layers.lanes import load, ones, sigmoid_of_twice, store, tanh, zeros

# no type describes numba's compiled functions to mypy
compiled: Callable[[Callable[..., Any]], Callable[..., Any]] = compiled_freely
inlined: Callable[[Callable[..., Any]], Callable[..., Any]] = numba.njit(inline="always")


@inlined
def _four(array, at, step):  # type: ignore[no-untyped-def]
    return load(array, at), load(array, at + step), load(array, at + 2 * step), load(array, at + 3 * step)


@inlined
def _store_four(array, at, step, first, second, third, fourth):  # type: ignore[no-untyped-def]
    store(array, at, first)
    store(array, at + step, second)
    store(array, at + 2 * step, third)
    store(array, at + 3 * step, fourth)


@inlined
def _lstm_unit(sums, row, now, then, u, units, gates, cells, hidden, on):  # type: ignore[no-untyped-def]
    i, f, g, o = sums
    i, f, g, o = sigmoid_of_twice(i), sigmoid_of_twice(f), tanh(g), sigmoid_of_twice(o)
    _store_four(gates, 4 * (now + row) * units + u, units, i, f, g, o)
    c = f * load(cells, (now + row) * units + u) + i * g
    store(cells, (then + row) * units + u, c)
    store(hidden, (on + row) * units + u, o * tanh(c))


@compiled
def lstm_forward(  # type: ignore[no-untyped-def]
    signal,
    into,
    recurrent,
    bias,
    hidden,
    cells,
    gates,
    channels,
    size,
    units,
    lanes,
    samples,
    rows,
    first,
    last,
    kept,
):
    """Fills `hidden` (samples + 1, rows, U), `cells` (same length) and `gates` (samples, rows, 4 U) after their starts.

    Shape:
        signal: With a 1 after its channels, (samples, rows, channels + 1).
        into: Weights of the signal, (channels, 4 U); those of i, f and o halved (`sigmoid_of_twice`).
        recurrent: Weights of the units, (size, 4 U), halved likewise.
        bias: (4 U,), halved likewise.
        hidden, cells, gates: The arrays to fill.
        channels, size, units, lanes, samples, rows: Sizes.
        first, last: The rows to compute, `last` excluded.
        kept: 1, or 0 if no gradient is wanted: `cells` (rows, U) and `gates` (rows, 4 U) then hold one sample.
    """
    width = 4 * units
    for n in range(samples):
        now, then, on = kept * n * rows, kept * (n + 1) * rows, (n + 1) * rows
        row = first
        while row + 3 <= last:
            told, heard = (n * rows + row) * (channels + 1), (n * rows + row) * units
            for u in range(0, units, lanes):
                b = _four(bias, u, units)
                sums = add_products((b, b, b), signal, told, channels + 1, 1, into, u, units, width, channels)
                sums = add_products(sums, hidden, heard, units, 1, recurrent, u, units, width, size)
                one, two, three = sums
                _lstm_unit(one, row, now, then, u, units, gates, cells, hidden, on)
                _lstm_unit(two, row + 1, now, then, u, units, gates, cells, hidden, on)
                _lstm_unit(three, row + 2, now, then, u, units, gates, cells, hidden, on)
            row += 3
        while row < last:
            told, heard = (n * rows + row) * (channels + 1), (n * rows + row) * units
            for u in range(0, units, lanes):
                b = _four(bias, u, units)
                single = add_products((b,), signal, told, channels + 1, 1, into, u, units, width, channels)
                single = add_products(single, hidden, heard, units, 1, recurrent, u, units, width, size)
                _lstm_unit(single[0], row, now, then, u, units, gates, cells, hidden, on)
            row += 1


@inlined
def _add_turned(sums, at, d_gates, d_at, width, weights, count, units, lanes):  # type: ignore[no-untyped-def]
    """Adds the gradient of a row's gates, multiplied by their weights (count, U), to `sums` (U)."""
    u = 0
    while u + 4 * lanes <= units:
        (one,) = add_products(
            (_four(sums, at + u, lanes),), d_gates, d_at, width, 1, weights, u, lanes, units, count
        )
        _store_four(sums, at + u, lanes, one[0], one[1], one[2], one[3])
        u += 4 * lanes
    while u < units:
        (single,) = add_products(
            ((load(sums, at + u),),), d_gates, d_at, width, 1, weights, u, lanes, units, count
        )
        store(sums, at + u, single[0])
        u += lanes


@inlined
def _add_turned_of_three(sums, at, d_gates, d_at, width, weights, count, units, lanes):  # type: ignore[no-untyped-def]
    """Like `_add_turned`, for three rows."""
    u = 0
    while u + 4 * lanes <= units:
        start = (
            _four(sums, at + u, lanes),
            _four(sums, at + units + u, lanes),
            _four(sums, at + 2 * units + u, lanes),
        )
        one, two, three = add_products(start, d_gates, d_at, width, 1, weights, u, lanes, units, count)
        _store_four(sums, at + u, lanes, one[0], one[1], one[2], one[3])
        _store_four(sums, at + units + u, lanes, two[0], two[1], two[2], two[3])
        _store_four(sums, at + 2 * units + u, lanes, three[0], three[1], three[2], three[3])
        u += 4 * lanes
    while u < units:
        column = (
            (load(sums, at + u),),
            (load(sums, at + units + u),),
            (load(sums, at + 2 * units + u),),
        )
        first, second, third = add_products(column, d_gates, d_at, width, 1, weights, u, lanes, units, count)
        store(sums, at + u, first[0])
        store(sums, at + units + u, second[0])
        store(sums, at + 2 * units + u, third[0])
        u += lanes


@compiled
def _add_all_turned(sums, at, d_gates, d_at, width, weights, count, units, lanes, rows):  # type: ignore[no-untyped-def]
    """Like `_add_turned`, for one to three rows."""
    if rows == 3:
        _add_turned_of_three(sums, at, d_gates, d_at, width, weights, count, units, lanes)
    else:
        for row in range(rows):
            _add_turned(
                sums, at + row * units, d_gates, d_at + row * width, width, weights, count, units, lanes
            )


@compiled
def _add_outer(result, begin, end, d_gates, d_at, width, heard, heard_at, columns, lanes, rows):  # type: ignore[no-untyped-def]
    """Adds `sum_r heard[r, j] d_gates[r, k]` to `result` (columns, width), for j < columns and k from begin to end."""
    for k in range(begin, end, 4 * lanes):
        at, j = d_at + k, 0
        while j + 3 <= columns:
            to = j * width + k
            start = (
                _four(result, to, lanes),
                _four(result, to + width, lanes),
                _four(result, to + 2 * width, lanes),
            )
            one, two, three = add_products(
                start, heard, heard_at + j, 1, columns, d_gates, at, lanes, width, rows
            )
            _store_four(result, to, lanes, one[0], one[1], one[2], one[3])
            _store_four(result, to + width, lanes, two[0], two[1], two[2], two[3])
            _store_four(result, to + 2 * width, lanes, three[0], three[1], three[2], three[3])
            j += 3
        while j < columns:
            to = j * width + k
            (single,) = add_products(
                (_four(result, to, lanes),), heard, heard_at + j, 1, columns, d_gates, at, lanes, width, rows
            )
            _store_four(result, to, lanes, single[0], single[1], single[2], single[3])
            j += 1


@compiled
def lstm_backward(  # type: ignore[no-untyped-def]
    given,
    signal,
    hidden,
    cells,
    gates,
    back,
    through,
    d_hidden,
    d_cell,
    d_gates,
    for_units,
    for_inputs,
    for_signal,
    channels,
    wide,
    units,
    lanes,
    samples,
    rows,
    first,
    last,
):
    """The gradient, from the last sample back to the first.

    Shape:
        given: Gradient of the output, (samples, rows, U).
        signal, hidden, cells, gates: As in `lstm_forward`.
        back: Weights of the units, (4 U, U), not halved.
        through: Weights of the signal, (4 U, wide).
        d_hidden, d_cell: (rows, U), gradient of the state after the last sample; on return, of that before the first.
        d_gates: (rows, 4 U), workspace.
        for_units: (U, 4 U), to which the gradient of the units' weights is added.
        for_inputs: (channels + 1, 4 U), to which the gradient of the signal's weights and the bias is added.
        for_signal: (samples, rows, wide), to which the gradient of the signal is added.
        channels: Channels of the signal.
        wide: `channels` padded to whole registers; 0 if the signal needs no gradient.
        units, lanes, samples, rows: Sizes.
        first, last: The rows to compute, `last` excluded.
    """
    width = 4 * units
    for n in range(samples - 1, -1, -1):
        row = first
        while row < last:
            count = min(3, last - row)
            for each in range(row, row + count):
                at, here, to = each * units, (n * rows + each) * units, each * width
                for u in range(0, units, lanes):
                    i, f, g, o = _four(gates, 4 * here + u, units)
                    one = ones(i)
                    c = load(cells, here + u)
                    bent = tanh(load(cells, here + rows * units + u))
                    d_h = load(d_hidden, at + u) + load(given, here + u)
                    d_c = load(d_cell, at + u) + d_h * o * (one - bent * bent)
                    d_o = d_h * bent * o * (one - o)
                    d_i = d_c * g * i * (one - i)
                    d_f = d_c * c * f * (one - f)
                    d_g = d_c * i * (one - g * g)
                    _store_four(d_gates, to + u, units, d_i, d_f, d_g, d_o)
                    store(d_cell, at + u, d_c * f)
                    store(d_hidden, at + u, zeros(i))
            _add_all_turned(
                d_hidden, row * units, d_gates, row * width, width, back, width, units, lanes, count
            )
            if wide:
                place = (n * rows + row) * wide
                _add_all_turned(
                    for_signal, place, d_gates, row * width, width, through, width, wide, lanes, count
                )
            row += count
        here, told, count = (n * rows + first) * units, (n * rows + first) * (channels + 1), last - first
        at = first * width
        _add_outer(for_units, 0, width, d_gates, at, width, hidden, here, units, lanes, count)
        _add_outer(for_inputs, 0, width, d_gates, at, width, signal, told, channels + 1, lanes, count)


@inlined
def _gru_unit(from_signal, sums, row, now, u, units, gates, hidden, heard, on):  # type: ignore[no-untyped-def]
    r, z, inner = sums
    r, z = sigmoid_of_twice(r), sigmoid_of_twice(z)
    m = tanh(from_signal + r * inner)
    _store_four(gates, 4 * (now + row) * units + u, units, r, z, m, inner)
    before = load(hidden, (heard + row) * units + u)
    store(hidden, (on + row) * units + u, m + z * (before - m))


@compiled
def gru_forward(  # type: ignore[no-untyped-def]
    signal,
    into,
    recurrent,
    bias,
    hidden,
    gates,
    channels,
    size,
    units,
    lanes,
    samples,
    rows,
    first,
    last,
    kept,
):
    """Fills `hidden` (samples + 1, rows, U) after its start, and `gates` (samples, rows, 4 U): r, z, m, U_m h + c_m.

    Shape:
        signal: With a 1 after its channels, (samples, rows, channels + 1).
        into: Weights of the signal, (channels, 3 U); those of r and z halved (`sigmoid_of_twice`).
        recurrent: Weights of the units, (size, 3 U), halved likewise.
        bias: b_r, b_z, b_m and c_m, (4 U,), halved likewise.
        hidden, gates, channels, size, units, lanes, samples, rows, first, last, kept: As in `lstm_forward`.
    """
    width = 3 * units
    for n in range(samples):
        now, before, on = kept * n * rows, n * rows, (n + 1) * rows
        row = first
        while row + 4 <= last:
            told, heard = (before + row) * (channels + 1), (before + row) * units
            for u in range(0, units, lanes):
                r, z, m, inner = _four(bias, u, units)
                b = r, z, m
                one, two, three, four = add_products(
                    (b, b, b, b), signal, told, channels + 1, 1, into, u, units, width, channels
                )
                m_1, m_2, m_3, m_4 = one[2], two[2], three[2], four[2]
                sums = (
                    (one[0], one[1], inner),
                    (two[0], two[1], inner),
                    (three[0], three[1], inner),
                    (four[0], four[1], inner),
                )
                one, two, three, four = add_products(
                    sums, hidden, heard, units, 1, recurrent, u, units, width, size
                )
                _gru_unit(m_1, one, row, now, u, units, gates, hidden, before, on)
                _gru_unit(m_2, two, row + 1, now, u, units, gates, hidden, before, on)
                _gru_unit(m_3, three, row + 2, now, u, units, gates, hidden, before, on)
                _gru_unit(m_4, four, row + 3, now, u, units, gates, hidden, before, on)
            row += 4
        while row < last:
            told, heard = (before + row) * (channels + 1), (before + row) * units
            for u in range(0, units, lanes):
                r, z, m, inner = _four(bias, u, units)
                single = add_products(
                    ((r, z, m),), signal, told, channels + 1, 1, into, u, units, width, channels
                )
                r, z, m = single[0]
                single = add_products(
                    ((r, z, inner),), hidden, heard, units, 1, recurrent, u, units, width, size
                )
                _gru_unit(m, single[0], row, now, u, units, gates, hidden, before, on)
            row += 1


@compiled
def gru_backward(  # type: ignore[no-untyped-def]
    given,
    signal,
    hidden,
    gates,
    back,
    through,
    d_hidden,
    d_gates,
    for_units,
    for_inputs,
    for_signal,
    channels,
    wide,
    units,
    lanes,
    samples,
    rows,
    first,
    last,
):
    """As `lstm_backward`. Gates lie in the order m, r, z and U_m h + c_m in `d_gates`, `for_units` and `for_inputs`.

    Shape:
        given: Gradient of the output, (samples, rows, U).
        signal, hidden, gates: As in `gru_forward`.
        back: Weights of the units, (3 U, U), not halved.
        through: Weights of the signal, (3 U, wide), of m, r and z.
        d_hidden, d_gates, for_units, for_inputs, for_signal: As in `lstm_backward`. The first gate of `for_units` is
            unused, and so is the last one of `for_inputs` except for the bias.
        channels, wide, units, lanes, samples, rows, first, last: As in `lstm_backward`.
    """
    width = 4 * units
    begin = width - -(-3 * units // (4 * lanes)) * 4 * lanes
    for n in range(samples - 1, -1, -1):
        row = first
        while row < last:
            count = min(3, last - row)
            for each in range(row, row + count):
                at, here, to = each * units, (n * rows + each) * units, each * width
                for u in range(0, units, lanes):
                    r, z, m, inner = _four(gates, 4 * here + u, units)
                    one = ones(r)
                    d_h = load(d_hidden, at + u) + load(given, here + u)
                    d_m = d_h * (one - z) * (one - m * m)
                    d_z = d_h * (load(hidden, here + u) - m) * z * (one - z)
                    d_r = d_m * inner * r * (one - r)
                    _store_four(d_gates, to + u, units, d_m, d_r, d_z, d_m * r)
                    store(d_hidden, at + u, d_h * z)
            at = row * width
            _add_all_turned(
                d_hidden, row * units, d_gates, at + units, width, back, 3 * units, units, lanes, count
            )
            if wide:
                place = (n * rows + row) * wide
                _add_all_turned(for_signal, place, d_gates, at, width, through, 3 * units, wide, lanes, count)
            row += count
        here, told, count = (n * rows + first) * units, (n * rows + first) * (channels + 1), last - first
        at = first * width
        _add_outer(for_units, begin, width, d_gates, at, width, hidden, here, units, lanes, count)
        _add_outer(for_inputs, 0, width, d_gates, at, width, signal, told, channels + 1, lanes, count)
