"""The compiled loops of `tapezoo.layers.transition`: forward, and backward with the gradient."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numba
import numpy as np
from numba.np.unsafe.ndarray import to_fixed_tuple
from numpy.typing import NDArray

from tapezoo.compiled import compiled_freely

# no type describes numba's compiled functions to mypy
compiled: Callable[[Callable[..., Any]], Callable[..., Any]] = compiled_freely
fixed_tuple: Any = to_fixed_tuple

_REACH = 10.0  # beyond it tanh is 1 to the last digit of float32, and to 4e-9 in float64
_REACH_DOUBLE = 20.0
_HALVINGS = 4
_TERMS = 9  # number of terms of Lambert's continued fraction
TABLE_SIZE = 12


@lru_cache
def tanh_table(dtype: Any) -> NDArray[Any]:
    """The constants of `tanh_of`, in the type of its argument: the reach, 2^-4, and the polynomials.

    Lambert's continued fraction of tanh(y) = y / (1 + y^2 / (3 + y^2 / (5 + ...))) as a ratio of polynomials in y^2,
    within 1e-16 for |y| up to 20 / 16. From there the argument is doubled four times.
    """
    over, under = np.array([1.0]), np.array([2.0 * _TERMS - 1])
    for odd in range(2 * _TERMS - 3, 0, -2):  # odd + y^2 / (under / over)
        over, under = under, np.polynomial.polynomial.polyadd(odd * under, np.append(0.0, over))
    size = _TERMS // 2 + 1
    scale = under[0]
    table = np.zeros(2 + 2 * size)
    table[0] = _REACH if np.dtype(dtype).itemsize == 4 else _REACH_DOUBLE
    table[1] = 2.0**-_HALVINGS
    table[2 : 2 + len(over)] = over / scale
    table[2 + size : 2 + size + len(under)] = under / scale
    return table.astype(dtype)


@numba.njit(inline="always")
def tanh_of(x, t):  # type: ignore[no-untyped-def]
    """The tanh of x by arithmetic alone, which the compiler can vectorise; NaN stays NaN."""
    x = t[0] if x > t[0] else x
    x = -t[0] if x < -t[0] else x
    y = x * t[1]
    u = y * y
    over = y * (t[2] + u * (t[3] + u * (t[4] + u * (t[5] + u * t[6]))))
    under = t[7] + u * (t[8] + u * (t[9] + u * (t[10] + u * t[11])))
    for _ in range(_HALVINGS):  # tanh(2 y) = 2 tanh(y) / (1 + tanh(y)^2)
        product = over * under
        under = under * under + over * over
        over = product + product
    return over / under


@compiled
def go_forward(  # type: ignore[no-untyped-def]
    heard, step, turn, feedback, hidden, hidden_bias, head, head_bias, limit, table, units, path
):
    """Fills `units` (N, samples, L, W, R), the activations, and `path` (N, samples + 1, R) after its start."""
    nets, width, samples, rows = heard.shape
    layers = 1 + hidden.shape[1]
    t = fixed_tuple(
        table, TABLE_SIZE
    )  # in registers: the compiler cannot rule out that a result overlaps the table
    change = np.empty(rows, heard.dtype)
    for net in range(nets):
        for n in range(samples):
            for k in range(width):
                weight, sums, unit = feedback[net, k], heard[net, k, n], units[net, n, 0, k]
                before, sign = path[net, n], turn[net, n]
                for r in range(rows):
                    unit[r] = tanh_of(sums[r] + weight * (sign[r] * before[r]), t)
            for layer in range(1, layers):
                for k in range(width):
                    unit = units[net, n, layer, k]
                    bias = hidden_bias[net, layer - 1, k]
                    for r in range(rows):  # a slice would be set by code that takes seconds to compile
                        change[r] = bias
                    for j in range(width):
                        weight, before = hidden[net, layer - 1, k, j], units[net, n, layer - 1, j]
                        for r in range(rows):
                            change[r] += weight * before[r]
                    for r in range(rows):
                        unit[r] = tanh_of(change[r], t)
            for r in range(rows):
                change[r] = head_bias[net]
            for k in range(width):
                weight, unit = head[net, k], units[net, n, layers - 1, k]
                for r in range(rows):
                    change[r] += weight * unit[r]
            before, after, factor, most = path[net, n], path[net, n + 1], step[net, n], limit[net]
            for r in range(rows):
                M = before[r] + factor[r] * change[r]
                M = most if most < M else M
                after[r] = -most if -most > M else M


@compiled
def go_back(  # type: ignore[no-untyped-def]
    given,
    step,
    turn,
    feedback,
    hidden,
    hidden_bias,
    head,
    head_bias,
    limit,
    units,
    path,
    for_heard,
    for_feedback,
    for_hidden,
    for_hidden_bias,
    for_head,
    for_head_bias,
    for_start,
):
    """Adds to the gradients `for_...` of the arguments of `go_forward`; `given` is the gradient of the whole path."""
    nets, samples, layers, width, rows = units.shape
    total, change = np.empty(rows, given.dtype), np.empty(rows, given.dtype)
    sums, before = np.empty((width, rows), given.dtype), np.empty((width, rows), given.dtype)
    one = given.dtype.type(1)
    for net in range(nets):
        for r in range(rows):
            total[r] = given[net, samples, r]  # gradient of path[n + 1], as the loop runs backward
        for n in range(samples - 1, -1, -1):
            here = given.dtype.type(0)
            for r in range(rows):
                if abs(path[net, n + 1, r]) >= limit[net]:  # at the limit, whatever came before
                    total[r] = 0
                change[r] = step[net, n, r] * total[r]
                here += change[r]
            for_head_bias[net] += here
            for k in range(width):
                weight, here = head[net, k], given.dtype.type(0)
                for r in range(rows):
                    unit = units[net, n, layers - 1, k, r]
                    here += change[r] * unit
                    sums[k, r] = weight * change[r] * (one - unit * unit)
                for_head[net, k] += here
            for layer in range(layers - 1, 0, -1):
                for j in range(width):
                    for r in range(rows):
                        before[j, r] = 0
                for k in range(width):
                    here = given.dtype.type(0)
                    for r in range(rows):
                        here += sums[k, r]
                    for_hidden_bias[net, layer - 1, k] += here
                    for j in range(width):
                        weight, here = hidden[net, layer - 1, k, j], given.dtype.type(0)
                        for r in range(rows):
                            here += sums[k, r] * units[net, n, layer - 1, j, r]
                            before[j, r] += weight * sums[k, r]
                        for_hidden[net, layer - 1, k, j] += here
                for j in range(width):
                    for r in range(rows):
                        unit = units[net, n, layer - 1, j, r]
                        sums[j, r] = before[j, r] * (one - unit * unit)
            for r in range(rows):
                total[r] += given[net, n, r]
            for k in range(width):
                weight, here = feedback[net, k], given.dtype.type(0)
                for r in range(rows):
                    along = turn[net, n, r] * sums[k, r]
                    here += along * path[net, n, r]
                    total[r] += weight * along
                    for_heard[net, k, n, r] = sums[k, r]
                for_feedback[net, k] += here
        for r in range(rows):
            for_start[net, r] = total[r]
