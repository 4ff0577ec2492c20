"""Tables of matrix products and convolutions, and the positions of their pasts in the state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tapezoo.architecture import Convolution, Dense
from tapezoo.cpp.program import Program
from tapezoo.cpp.text import Numbers

GROUP = 4  # rows of a product that are computed together


@dataclass(frozen=True)
class Past:
    """The left context of a convolution: the member that holds it, its number of rows and of samples."""

    member: str
    channels: int
    samples: int


def grouped(matrix: Numbers) -> Numbers:
    """(rows, columns) -> (groups, columns, GROUP), padded with rows of zeros."""
    rows = np.pad(matrix, ((0, -len(matrix) % GROUP), (0, 0)))
    return rows.reshape(-1, GROUP, matrix.shape[1]).transpose(0, 2, 1)


def add_product(program: Program, name: str, weight: Numbers, bias: Numbers, **sizes: int) -> str:
    """The tables of a 1x1 product in the form of `product.hpp`, with further sizes; returns the struct's name."""
    program.use("product.hpp")
    rows, columns = weight.shape
    tables = {"bias": padded_rows(bias), "weight": grouped(weight) if columns else np.zeros(1)}
    return program.table(name, {"rows": rows, "columns": columns, **sizes}, tables)


def add_mix_down(program: Program, name: str, weight: Numbers, bias: Numbers) -> str:
    """The tables of a product with one row, in the form of `mix_down`."""
    program.use("product.hpp")
    return program.table(name, {"columns": weight.shape[1]}, {"bias": bias.reshape(1), "weight": weight})


def add_convolution(program: Program, name: str, weight: Numbers, bias: Numbers, dilation: int) -> str:
    """The tables of a convolution, in the form of `convolution.hpp`.

    Shape:
        weight: (rows, columns, taps); bias: (rows,).
    """
    program.use("product.hpp", "line.hpp", "convolution.hpp")
    rows, columns, taps = weight.shape
    sizes = {"rows": rows, "columns": columns, "taps": taps, "dilation": dilation}
    by_tap = grouped(weight.transpose(0, 2, 1).reshape(rows, -1))
    return program.table(name, sizes, {"bias": padded_rows(bias), "weight": by_tap})


def padded_rows(values: Numbers) -> Numbers:
    """The rows padded with zeros to whole groups."""
    return np.pad(values, (0, -len(values) % GROUP))


def one_tap(program: Program, layer: Convolution | Dense) -> tuple[Numbers, Numbers]:
    """Weight (rows, columns) and bias of a 1x1 layer."""
    return program.weight(layer.weight, (layer.outputs, layer.inputs)), program.weight(
        layer.bias, (layer.outputs,)
    )


def remember_pasts(program: Program, tensors: Sequence[str], pasts: Sequence[Past]) -> None:
    """State tensors that hold pasts, one after another along time, each with as many rows as the first past."""
    left = [past for past in pasts if past.samples]
    for tensor in tensors:
        channels, samples = program.shapes[tensor]
        here = []
        while samples > 0:
            here.append(left.pop(0))
            samples -= here[-1].samples
        rows = f"for (int row = 0; row < {channels}; ++row)"
        for table, call in (
            (program.loads, "restore_row(source, row);"),
            (program.saves, "save_row(sink, row);"),
        ):
            calls = " ".join(f"{past.member}.past.{call}" for past in here)
            table.setdefault(tensor, []).append(f"{rows} {{ {calls} }}")


def whole_groups(rows: int) -> int:
    """The number of groups, as in `product.hpp`."""
    return -(-rows // GROUP) * GROUP
