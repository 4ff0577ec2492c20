"""The compiled loop for nets whose weights differ between rows and between pieces, without a gradient."""

from __future__ import annotations

import numpy as np

from tapezoo.layers.transition_loops import TABLE_SIZE, compiled, fixed_tuple, tanh_of


@compiled
def go_through(heard, step, turn, starts, vectors, size, table, path):  # type: ignore[no-untyped-def]
    """Fills `path` (samples + 1, R) after its start.

    Args:
        heard: Inputs of the first layer except M, (I, samples, R).
        step: Factor on the net's output, (samples, R).
        turn: Factor on M at the net's input, (samples, R).
        starts: Starts of the pieces, followed by the number of samples, (pieces + 1,).
        vectors: Weights of each piece, see `tapezoo.layers.transition_weights.NetSize`, (pieces, P, R).
        size: Number of inputs, number of layers, and width.
        table: See `tapezoo.layers.transition_loops.tanh_table`.
        path: See above.
    """
    inputs, layers, width = size
    rows = path.shape[1]
    t = fixed_tuple(table, TABLE_SIZE)
    first_bias = width * (inputs + 1)
    hidden = first_bias + width
    head = hidden + (layers - 1) * width * (width + 1)
    units, before = np.empty((width, rows), path.dtype), np.empty((width, rows), path.dtype)
    for piece in range(len(starts) - 1):
        w = vectors[piece]
        limit = w[head + width + 1]
        for n in range(starts[piece], starts[piece + 1]):
            for k in range(width):
                sums, feedback = units[k], w[k * (inputs + 1) + inputs]
                for r in range(rows):
                    sums[r] = w[first_bias + k, r] + feedback[r] * (turn[n, r] * path[n, r])
                for i in range(inputs):
                    weight, signal = w[k * (inputs + 1) + i], heard[i, n]
                    for r in range(rows):
                        sums[r] += weight[r] * signal[r]
                for r in range(rows):
                    sums[r] = tanh_of(sums[r], t)
            for layer in range(1, layers):
                at = hidden + (layer - 1) * width * (width + 1)
                for k in range(width):  # a slice would be set by code that takes seconds to compile
                    for r in range(rows):
                        before[k, r] = units[k, r]
                for k in range(width):
                    sums, bias = units[k], w[at + width * width + k]
                    for r in range(rows):
                        sums[r] = bias[r]
                    for j in range(width):
                        weight, unit = w[at + k * width + j], before[j]
                        for r in range(rows):
                            sums[r] += weight[r] * unit[r]
                    for r in range(rows):
                        sums[r] = tanh_of(sums[r], t)
            for r in range(rows):
                change = w[head + width, r]
                for k in range(width):
                    change += w[head + k, r] * units[k, r]
                M = path[n, r] + step[n, r] * change
                M = limit[r] if limit[r] < M else M
                path[n + 1, r] = -limit[r] if -limit[r] > M else M
