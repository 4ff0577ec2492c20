"""The compiled loops of `tapezoo.layers.delayed_recurrence`, for blocks that are only played."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, tanh
from typing import Any

from tapezoo.compiled import compiled_freely

# no type describes numba's compiled functions to mypy
compiled: Callable[[Callable[..., Any]], Callable[..., Any]] = compiled_freely


@compiled
def lstm_rows(sums, hidden, cell, recurrent, taps, heard, gates):  # type: ignore[no-untyped-def]
    """Fills `hidden` and `cell` from the depth-th sample on.

    Shape:
        sums: (rows, samples, 4 H); hidden, cell: (rows, depth + samples, H); recurrent: (H, 4 H); taps: (depth,).
        heard: (H,), gates: (4 H,), workspace.
    """
    rows, samples, width = sums.shape
    units, depth = len(heard), len(taps)
    for row in range(rows):
        for n in range(samples):
            for g in range(width):
                gates[g] = sums[row, n, g]
            for unit in range(units):
                heard[unit] = 0.0
                for k in range(depth):
                    heard[unit] += taps[k] * hidden[row, n + k, unit]
                for g in range(width):
                    gates[g] += heard[unit] * recurrent[unit, g]
            for unit in range(units):
                before = 0.0
                for k in range(depth):
                    before += taps[k] * cell[row, n + k, unit]
                kept = 1.0 / (1.0 + exp(-gates[units + unit]))
                let_in = 1.0 / (1.0 + exp(-gates[unit]))
                now = kept * before + let_in * tanh(gates[2 * units + unit])
                cell[row, n + depth, unit] = now
                hidden[row, n + depth, unit] = tanh(now) / (1.0 + exp(-gates[3 * units + unit]))


@compiled
def gru_rows(sums, hidden, recurrent, bias, taps, heard, gates):  # type: ignore[no-untyped-def]
    """Fills `hidden` from the depth-th sample on.

    Shape:
        sums: (rows, samples, 3 H); recurrent: (H, 3 H); bias, gates: (3 H,); others as in `lstm_rows`.
    """
    rows, samples, width = sums.shape
    units, depth = len(heard), len(taps)
    for row in range(rows):
        for n in range(samples):
            for g in range(width):
                gates[g] = bias[g]
            for unit in range(units):
                heard[unit] = 0.0
                for k in range(depth):
                    heard[unit] += taps[k] * hidden[row, n + k, unit]
                for g in range(width):
                    gates[g] += heard[unit] * recurrent[unit, g]
            for unit in range(units):
                reset = 1.0 / (1.0 + exp(-sums[row, n, unit] - gates[unit]))
                kept = 1.0 / (1.0 + exp(-sums[row, n, units + unit] - gates[units + unit]))
                m = tanh(sums[row, n, 2 * units + unit] + reset * gates[2 * units + unit])
                hidden[row, n + depth, unit] = m + kept * (heard[unit] - m)
