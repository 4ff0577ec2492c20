"""Products of a matrix of at most LANES units with a vector that stays in its register.

A net that gets its own last output waits for this product, which would take half as long again through memory. A
processor rotates lanes within groups of four at once and swaps the groups more slowly. So term k of a product uses the
units rotated by k % 4 within their group, in groups swapped by k // 4. Weights lie in that order: lane i of term k is
W[i, turned(k)[i]].
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types

from tapezoo.runtime.kernels.file import Weights
from tapezoo.runtime.kernels.vector import add_pairs, instruction, load_lanes, operation, shuffle, store_lanes

FOUR = 4
CHAINS = 4  # independent sums, so that one product need not wait for the other
EARLY_LANES = (
    8  # up to here the factor multiplies the weights, so that the units' dependency chain is not longer
)


def turned(term: int, lanes: int) -> list[int]:
    """Which unit each lane meets in this term."""
    return [FOUR * ((lane // FOUR) ^ (term // FOUR)) + (lane + term) % FOUR for lane in range(lanes)]


def turn_matrix(matrix: Weights, lanes: int) -> Weights:
    """W (units, units) -> its terms, `lanes` vectors, flat; zeros beyond its units."""
    full = np.zeros((lanes, lanes), np.float32)
    full[: matrix.shape[0], : matrix.shape[1]] = matrix
    return np.concatenate([full[np.arange(lanes), turned(term, lanes)] for term in range(lanes)])


@instruction
def product(typing: Any, units: Any, terms: Any, start: Any, factor: Any, bias: Any) -> Any:
    """Bias + factor W units, the terms of W from `start` on; all but terms and start are vectors."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x, array, start, factor, bias = args
        lanes = x.type.count
        early, chains = lanes <= EARLY_LANES, min(CHAINS, lanes // 2)
        sums = [bias] if early else []
        for k in range(lanes):
            place = builder.add(start, ir.Constant(start.type, k * lanes))
            weights = load_lanes(context, builder, terms_at, [array, place], lanes)
            if early:
                weights = builder.fmul(weights, factor)
            unit = shuffle(builder, x, turned(k, lanes)) if k else x
            chain = (k // FOUR * 2 + k % 2) % chains
            if chain == len(sums):
                sums.append(builder.fmul(unit, weights))
            else:
                sums[chain] = operation(builder, "fma", unit, weights, sums[chain])
        sum_ = add_pairs(builder, sums)
        return sum_ if early else operation(builder, "fma", factor, sum_, bias)

    terms_at = types.float32(terms, types.int64)
    return units(units, terms, types.int64, units, units), code


@instruction
def store_outer(typing: Any, terms: Any, start: Any, rows: Any, columns: Any) -> Any:
    """The terms of W = rows columns', from `start` on."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array, start, rows, columns = args
        lanes = rows.type.count
        for k in range(lanes):
            place = builder.add(start, ir.Constant(start.type, k * lanes))
            value = builder.fmul(rows, shuffle(builder, columns, turned(k, lanes)))
            store_lanes(context, builder, signature, [array, place], value)
        return context.get_dummy_value()

    return types.void(terms, types.int64, rows, rows), code
