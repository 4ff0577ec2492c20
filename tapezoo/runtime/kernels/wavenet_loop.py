"""WaveNet as a compiled loop over chunks of samples, its memory in lines that are moved back only occasionally."""

from __future__ import annotations

import numpy as np

from tapezoo.runtime.kernels.activations import gated, quick_tanh
from tapezoo.runtime.kernels.vector import (
    LANES,
    add,
    compiled,
    fill,
    fma,
    load,
    spread,
    store,
)

CHUNK_SAMPLES = 64
SLACK_SAMPLES = 512  # a line is moved back once per this many samples, not with every block
ROWS = 4  # of a product at a time: their sums stay in registers

# columns of the table of layers
LINE, STRIDE, PAST, DILATION, MIX, DILATED, RESIDUAL = range(7)
# columns of the table of arrays
FIRST, LAYERS, CHANNELS, WIDTH, WIDEN, WIDEN_FROM, HEAD, HEAD_ROWS = range(8)


@compiled
def product(out, o, out_row, base, b, base_row, x, at, x_row, rows, taps, dilation, weights, w, outs, tiles):  # type: ignore[no-untyped-def]
    """out[o + r out_row + n] = base[b + r base_row + n] + sum_tk W[r, t, k] x[at + k x_row + t dilation + n].

    For r < outs, a multiple of ROWS, and n < LANES tiles; k < rows, t < taps. W is flat from w on, as `_product`
    lays it out. `out` may be `base`.
    """
    for r in range(0, outs, ROWS):
        first = w + r * rows * taps
        for tile in range(tiles):
            n = tile * LANES
            p = load(base, b + r * base_row + n)
            q = load(base, b + (r + 1) * base_row + n)
            s = load(base, b + (r + 2) * base_row + n)
            t = load(base, b + (r + 3) * base_row + n)
            weight = first
            for tap in range(taps):
                place = at + tap * dilation + n
                for _ in range(rows):
                    value = load(x, place)
                    p = fma(spread(weights, weight), value, p)
                    q = fma(spread(weights, weight + 1), value, q)
                    s = fma(spread(weights, weight + 2), value, s)
                    t = fma(spread(weights, weight + 3), value, t)
                    weight += ROWS
                    place += x_row
            store(out, o + r * out_row + n, p)
            store(out, o + (r + 1) * out_row + n, q)
            store(out, o + (r + 2) * out_row + n, s)
            store(out, o + (r + 3) * out_row + n, t)


@compiled
def activate(u, z, head, channels, width, tiles):  # type: ignore[no-untyped-def]
    """Makes z = f(u) and adds it to head: tanh, or with twice the rows in u the gated tanh(u_1) sigmoid(u_2)."""
    for row in range(channels):
        for tile in range(tiles):
            n = row * CHUNK_SAMPLES + tile * LANES
            value = (
                quick_tanh(load(u, n))
                if width == channels
                else gated(load(u, n), load(u, channels * CHUNK_SAMPLES + n))
            )
            store(z, n, value)
            store(head, n, add(value, load(head, n)))


@compiled
def wavenet_chunk(  # type: ignore[no-untyped-def]
    signal, conditions, samples, lines, position, layers, arrays, weights, y, u, z, head, mixed, zeros
):
    """One chunk: `mixed` begins with the output; the lines hold every layer's y from `position` - its past on.

    Rows of `signal`, y, u, z, head and mixed are CHUNK_SAMPLES long. What is computed beyond `samples`, up to a
    whole vector, is written over by the next chunk before it is read.

    Args:
        signal: The input, the controls' paths and ones: (conditions, CHUNK_SAMPLES), flat.
        conditions: Rows of it.
        samples: Of the chunk.
        lines: y of every layer, channel by channel.
        position: (1,): where in the lines the chunk stands, beside each layer's past.
        layers: Table of layers, see the columns' names.
        arrays: Table of arrays.
        weights: Of all products.
        y: Between two arrays.
        u: Argument of f.
        z: Result of f.
        head: Sum of z over the layers.
        mixed: What the array's head makes of it.
        zeros: A row.
    """
    chunk, tiles = CHUNK_SAMPLES, (samples + LANES - 1) // LANES
    if position[0] + CHUNK_SAMPLES > SLACK_SAMPLES:
        _move_back(lines, position[0], layers, arrays)
        position[0] = 0
    now = position[0]
    for a in range(len(arrays)):
        channels, width, first = arrays[a, CHANNELS], arrays[a, WIDTH], arrays[a, FIRST]
        source = signal if a == 0 else y
        out = layers[first, LINE] + layers[first, PAST] + now
        stride = layers[first, STRIDE]
        product(lines, out, stride, zeros, 0, 0, source, 0, chunk, arrays[a, WIDEN_FROM], 1, 0, weights,
                arrays[a, WIDEN], channels, tiles)  # fmt: skip
        for row in range(channels):
            for tile in range(tiles):
                n = row * chunk + tile * LANES
                store(head, n, load(mixed, n) if a else fill(np.float32(0)))
        for tile in range(tiles):  # what the biases of the residuals and of the head are multiplied by
            store(z, channels * chunk + tile * LANES, fill(np.float32(1)))
            store(head, channels * chunk + tile * LANES, fill(np.float32(1)))
        for layer in range(first, first + arrays[a, LAYERS]):
            line, stride, past = layers[layer, LINE], layers[layer, STRIDE], layers[layer, PAST]
            dilation = layers[layer, DILATION]
            taps = past // dilation + 1
            product(u, 0, chunk, zeros, 0, 0, signal, 0, chunk, conditions, 1, 0, weights,
                    layers[layer, MIX], width, tiles)  # fmt: skip
            product(u, 0, chunk, u, 0, chunk, lines, line + now, stride, channels, taps, dilation, weights,
                    layers[layer, DILATED], width, tiles)  # fmt: skip
            activate(u, z, head, channels, width, tiles)
            if layer + 1 < first + arrays[a, LAYERS]:
                out = layers[layer + 1, LINE] + layers[layer + 1, PAST] + now
                product(lines, out, layers[layer + 1, STRIDE], lines, line + past + now, stride, z, 0, chunk,
                        channels + 1, 1, 0, weights, layers[layer, RESIDUAL], channels, tiles)  # fmt: skip
            else:
                product(y, 0, chunk, lines, line + past + now, stride, z, 0, chunk, channels + 1, 1, 0, weights,
                        layers[layer, RESIDUAL], channels, tiles)  # fmt: skip
        product(mixed, 0, chunk, zeros, 0, 0, head, 0, chunk, channels + 1, 1, 0, weights, arrays[a, HEAD],
                arrays[a, HEAD_ROWS], tiles)  # fmt: skip
    position[0] = now + samples


@compiled
def _move_back(lines, position, layers, arrays):  # type: ignore[no-untyped-def]
    for a in range(len(arrays)):
        for layer in range(arrays[a, FIRST], arrays[a, FIRST] + arrays[a, LAYERS]):
            for channel in range(arrays[a, CHANNELS]):
                start = layers[layer, LINE] + channel * layers[layer, STRIDE]
                for index in range(layers[layer, PAST]):
                    lines[start + index] = lines[start + index + position]
