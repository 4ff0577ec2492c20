"""What one core of this machine can do at most, and what a net asks of it: for shares of the ceiling."""

from __future__ import annotations

import time
from math import prod
from pathlib import Path

import numba
import numpy as np
from llvmlite import binding

from tapezoo.compiled import compiled
from tapezoo.layers.lanes import lanes_of, load, store
from tapezoo.net import Net

SUMS = 12  # as many as wait for one another
INSTRUCTION_SETS = ("avx512f", "avx2", "avx", "sse2", "neon")  # the widest one counts


def flop_per_sample(net: Net) -> int:
    """Two for every weight of a matrix: what the ceiling is a share of; activations are not counted."""
    shapes = net.described().shapes().values()
    return 2 * sum(prod(shape) for shape in shapes if len(shape) > 1)


def ceiling_gflops() -> float:
    """Fused multiply-adds in float32 from registers, 10^9 operations per CPU-second: the best of five."""
    array, rounds, best = np.linspace(0.1, 0.9, 64, dtype=np.float32), 5_000_000, 0.0
    _multiply_and_add(array, 1)
    for _ in range(5):
        started = time.process_time()
        _multiply_and_add(array, rounds)
        took = time.process_time() - started
        best = max(best, 2 * SUMS * lanes_of(np.float32) * rounds / took * 1e-9)
    return best


def processor() -> str:
    """Its name and its widest instruction set."""
    has = binding.get_host_cpu_features()
    widest = next((each for each in INSTRUCTION_SETS if has.get(each)), "no vectors known")
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else binding.get_host_cpu_name()}, {widest}"


@numba.njit(inline="always")
def _next(four, factor, more):  # type: ignore[no-untyped-def]
    return (
        four[0] * factor + more,
        four[1] * factor + more,
        four[2] * factor + more,
        four[3] * factor + more,
    )


@compiled
def _multiply_and_add(array, rounds):  # type: ignore[no-untyped-def]
    factor, more = load(array, 0), load(array, 16)
    one = (load(array, 32), load(array, 33), load(array, 34), load(array, 35))
    two = (load(array, 36), load(array, 37), load(array, 38), load(array, 39))
    three = (load(array, 40), load(array, 41), load(array, 42), load(array, 43))
    for _ in range(rounds):
        one, two, three = _next(one, factor, more), _next(two, factor, more), _next(three, factor, more)
    total = one[0] + one[1] + one[2] + one[3] + two[0] + two[1] + two[2] + two[3]
    store(array, 0, total + three[0] + three[1] + three[2] + three[3])
