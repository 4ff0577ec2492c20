"""Shared by the compiled loops of recurrent layers: units padded to whole registers, rows distributed over threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from tapezoo.layers.lanes import lanes_of

LEAST_ROWS = 8  # per thread: with fewer rows, starting a thread costs more than it saves


def runs_compiled(signal: Tensor) -> bool:
    """Whether the loops apply: on a CPU, in float32 or float64, and not in a traced graph."""
    tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    return signal.device.type == "cpu" and signal.dtype in (torch.float32, torch.float64) and not tracing


def lanes_like(tensor: Tensor) -> int:
    """How many numbers of this tensor's type a register holds."""
    return lanes_of(tensor.new_empty(0).numpy().dtype)


def padded_units(size: int, lanes: int) -> int:
    """`size` rounded up to whole registers."""
    return -(-size // lanes) * lanes


def pad_units(tensor: Tensor, units: int) -> Tensor:
    """Pads the last dimension with zeros to `units`; contiguous."""
    return pad(tensor, (0, units - tensor.shape[-1])).contiguous()


def pad_gates(weights: Tensor, gates: int, units: int) -> Tensor:
    """(gates H, ...) -> (gates U, ...), every gate padded with zeros."""
    size = weights.shape[0] // gates
    if size == units:
        return weights
    apart = weights.reshape(gates, size, -1)
    return pad(apart, (0, 0, 0, units - size)).reshape(gates * units, *weights.shape[1:])


def cut_gates(weights: Tensor, gates: int, size: int) -> Tensor:
    """The inverse of `pad_gates`."""
    units = weights.shape[0] // gates
    return weights.reshape(gates, units, -1)[:, :size].reshape(gates * size, *weights.shape[1:])


def with_ones(signal: Tensor) -> Tensor:
    """(samples, rows, channels) with a channel of ones appended: its weight is the bias."""
    samples, rows, channels = signal.shape
    wider = signal.new_ones(samples, rows, channels + 1)
    wider[..., :channels] = signal
    return wider


def flat(tensor: Tensor) -> NDArray[Any]:
    """The tensor as a flat numpy array, as the loops take it."""
    return tensor.detach().numpy().reshape(-1)


def part(array: NDArray[Any], rows: int, first: int, last: int) -> NDArray[Any]:
    """The rows from `first` to `last` of an array that holds `rows`."""
    size = array.size // rows
    return array[first * size : last * size]


def shares(rows: int) -> list[tuple[int, int]]:
    """The first row and the last row, excluded, for each thread that torch may use."""
    parts = max(1, min(torch.get_num_threads(), rows // LEAST_ROWS))
    edges = [rows * part // parts for part in range(parts + 1)]
    return list(pairwise(edges))


def run_shares(run: Callable[[int, int, int], Any], of: list[tuple[int, int]]) -> None:
    """Calls `run(share, first, last)` for all shares in parallel; `run` releases the GIL."""
    others = [_threads(len(of) - 1).submit(run, share, *of[share]) for share in range(1, len(of))]
    run(0, *of[0])
    for other in others:
        other.result()


@lru_cache(maxsize=1)
def _threads(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix="rows")
