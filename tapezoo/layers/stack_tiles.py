"""Shared by the compiled loops of a stack of dilated convolutions: tiles of channels by samples, and short copies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

from tapezoo.compiled import compiled_freely
from tapezoo.layers.lane_tiles import tile_loader
from tapezoo.layers.lanes import load, store, zeros

CHANNELS = 4  # channels of a tile
VECTORS = 3  # vectors in a row of a tile, each as many samples as a register holds
TILES = 8  # tiles per pass over the same channels, so that memory is read in longer runs

# no type describes numba's compiled functions to mypy
compiled: Callable[[Callable[..., Any]], Callable[..., Any]] = compiled_freely
inlined: Callable[[Callable[..., Any]], Callable[..., Any]] = numba.njit(inline="always")
load_tile = tile_loader(CHANNELS, VECTORS)


@inlined
def load_three(array, at, lanes):  # type: ignore[no-untyped-def]
    """Three consecutive vectors."""
    return load(array, at), load(array, at + lanes), load(array, at + 2 * lanes)


@inlined
def store_three(array, at, lanes, three):  # type: ignore[no-untyped-def]
    """Stores three vectors where `load_three` would load them."""
    store(array, at, three[0])
    store(array, at + lanes, three[1])
    store(array, at + 2 * lanes, three[2])


@inlined
def zero_tile(array, at):  # type: ignore[no-untyped-def]
    """A tile of zeros, of the array's type."""
    zero = zeros(load(array, at))
    three = zero, zero, zero
    return three, three, three, three


@inlined
def times(a, b):  # type: ignore[no-untyped-def]
    """The products of two triples of vectors."""
    return a[0] * b[0], a[1] * b[1], a[2] * b[2]


@compiled
def copy_numbers(source, at, to, to_at, count):  # type: ignore[no-untyped-def]
    """Copies this many numbers from one array to another."""
    for n in range(count):
        to[to_at + n] = source[at + n]


@compiled
def clear(to, to_at, count):  # type: ignore[no-untyped-def]
    """Sets this many numbers to zero."""
    for n in range(count):
        to[to_at + n] = 0.0
