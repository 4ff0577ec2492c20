"""Compiled products of a block's samples with matrices: convolutions with channels side by side, and their gradients.

Channels are padded to a multiple of two vectors, P: six samples of two vectors of channels are one product of matrices
whose sums stay in registers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tapezoo.compiled import compiled_freely
from tapezoo.layers.lane_tiles import add_products, store_tile, tile_loader

SAMPLES = 6  # rows of a tile
VECTORS = 2  # vectors in a row of a tile
INPUTS = 4  # inputs in a tile of the weights' gradient
BLOCK_SAMPLES = 96  # per pass over both factors of that gradient, so that they stay in the level-1 cache

# no type describes numba's compiled functions to mypy
compiled: Callable[[Callable[..., Any]], Callable[..., Any]] = compiled_freely
load_tile = tile_loader(SAMPLES, VECTORS)
load_inputs = tile_loader(INPUTS, VECTORS)


@compiled
def convolve(  # type: ignore[no-untyped-def]
    past, context, weights, bias, u, rows, past_row, reach, near, own, stride, context_row, padded, width, lanes,
    dilation, products, far, inputs, apart,
):  # fmt: skip
    """Fills u, (rows, padded, P), with W * h + b; the arguments are those of `tapezoo.layers.residual_loops`."""
    for row in range(rows):
        newest, old = row * context_row + near * stride, row * past_row
        for t in range(0, padded, SAMPLES):
            for g in range(0, width, VECTORS * lanes):
                tile = load_tile(bias, g, 0)
                for tap in range(far):
                    tile = add_products(
                        tile, past, old + (t + tap * dilation) * own, own, 1,
                        weights, tap * inputs * width + g, lanes, width, inputs,
                    )  # fmt: skip
                for tap in range(far, products):
                    tile = add_products(
                        tile, context, newest + (t - reach + tap * dilation) * stride, stride, apart,
                        weights, tap * inputs * width + g, lanes, width, inputs,
                    )  # fmt: skip
                store_tile(u, (row * padded + t) * width + g, width, tile)


@compiled
def correlate(  # type: ignore[no-untyped-def]
    past, context, d_u, d_weights, rows, past_row, reach, near, own, stride, context_row, padded, width, lanes,
    dilation, products, far, inputs, apart, samples,
):  # fmt: skip
    """Adds to the gradient of W the sum over the block of a tap's inputs times `d_u`, (rows, padded + SAMPLES, P)."""
    fours = -(-inputs // INPUTS) * INPUTS
    for row in range(rows):
        newest, old = row * context_row + near * stride, row * past_row
        for t in range(0, samples, BLOCK_SAMPLES):
            count = min(BLOCK_SAMPLES, samples - t)
            block = (row * (padded + SAMPLES) + t) * width
            for tap in range(products):
                for i in range(0, inputs, INPUTS):
                    for g in range(0, width, VECTORS * lanes):
                        to = (tap * fours + i) * width + g
                        tile = load_inputs(d_weights, to, width)
                        if tap < far:
                            tile = add_products(
                                tile, past, old + (t + tap * dilation) * own + i, 1, own,
                                d_u, block + g, lanes, width, count,
                            )  # fmt: skip
                        else:
                            tile = add_products(
                                tile, context, newest + (t - reach + tap * dilation) * stride + i * apart, apart,
                                stride, d_u, block + g, lanes, width, count,
                            )  # fmt: skip
                        store_tile(d_weights, to, width, tile)


@compiled
def convolve_back(  # type: ignore[no-untyped-def]
    d_u, backwards, d_h, rows, padded, width, lanes, dilation, taps, own, samples
):  # fmt: skip
    """Adds to the gradient of h, (rows, padded, P), the part from `d_u`; `backwards` is W as (taps, own, P)."""
    for row in range(rows):
        u_at = row * (padded + SAMPLES)
        for t in range(0, padded, SAMPLES):
            for g in range(0, width, VECTORS * lanes):
                at = (row * padded + t) * width + g
                tile = load_tile(d_h, at, width)
                for tap in range(taps - 1, -1, -1):
                    later = t + (taps - 1 - tap) * dilation
                    if later >= samples:  # everything after the block is zero
                        break
                    tile = add_products(
                        tile, d_u, (u_at + later) * width, width, 1,
                        backwards, tap * own * width + g, lanes, width, own,
                    )  # fmt: skip
                store_tile(d_h, at, width, tile)
