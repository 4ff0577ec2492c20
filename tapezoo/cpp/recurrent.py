"""LSTM and GRU layers, and the output layer after them."""

from __future__ import annotations

import math

import numpy as np

from tapezoo.architecture import DelayedRecurrent, Dense, Recurrent
from tapezoo.cpp.program import Program, Rows, Sequenced, Signal
from tapezoo.cpp.text import Numbers

WIDEST_LANES = 16
LOGISTIC = -1 / math.log(2)  # factor on logistic arguments: the function is played as a power of two


def add_recurrent(
    program: Program, layer: Recurrent | DelayedRecurrent, before: Signal, samples: str = "samples"
) -> Sequenced:
    """One layer; the first one reads the rows of `before`, with constant controls separate. `samples`: how many."""
    delayed = layer if isinstance(layer, DelayedRecurrent) else None
    layer = layer.layer if isinstance(layer, DelayedRecurrent) else layer
    program.use("recurrent.hpp", "delayed.hpp" if delayed else f"{layer.kind}.hpp")
    index = sum(kind.startswith(("Lstm<", "Gru<", "Delayed")) for kind in program.members)
    name = f"layer_{index}"
    columns = {
        "input": program.weight(layer.weight_ih, (-1, layer.inputs)),
        "hidden": program.weight(layer.weight_hh, (-1, layer.units)),
    }
    biases = [program.weights[key] for key in (layer.bias_ih, layer.bias_hh)]
    make = lstm_tables if layer.kind == "lstm" else gru_tables
    sizes = {"inputs": layer.inputs, "units": layer.units}
    tables = make(columns["input"], columns["hidden"], *biases)
    if delayed is not None:
        sizes["depth"], tables["taps"] = delayed.depth, program.weight(delayed.taps, (-1,))
    table = program.table(f"Layer{index}", sizes, tables)
    program.member(f"{'Delayed' if delayed else ''}{layer.kind.capitalize()}<{table}>", name)
    if isinstance(before, Sequenced):
        heard = f"{before.member}.features.of(0), {before.member}.UNITS, 1, {layer.inputs}"
    else:
        controls = layer.inputs - 1 if before.pointer == "signal" else 0
        moving = f"still ? {layer.inputs - controls} : {layer.inputs}" if controls else f"{layer.inputs}"
        heard = f"{before.pointer}, 1, CHUNK, {moving}"
    program.say(f"{name}.play({heard}, {samples});")
    for tensor, part in zip(layer.state, ("hidden", "cell"), strict=False):
        program.remember(tensor, (name, f"_{part}"))
    return Sequenced(name, layer.units)


def add_readout(program: Program, layer: Dense, before: Sequenced) -> None:
    """The output layer of a net, with its result in `out`."""
    program.use("readout.hpp")
    head = program.weight(layer.weight, (1, layer.inputs))
    bias = float(program.weight(layer.bias, (1,))[0])
    table = program.table("Head", {}, {"bias": np.array([bias]), "head": padded(head)})
    head_of = program.held(table)
    program.say(
        f"for (int n = 0; n < CHUNK; ++n) out[n] = {head_of}.bias[0];",
        f"read_out({head_of}, {before.member}.features, out, samples);",
    )


def spread(program: Program, before: Sequenced) -> Rows:
    """Its features as rows."""
    program.use("product.hpp", "rows.hpp", "spread.hpp")
    rows = program.buffer("features", -(-before.units // 4) * 4)
    program.say(f"spread_rows<{before.units}>({before.member}.features, {rows}, samples);")
    return Rows(rows, before.units)


def lstm_tables(
    of_input: Numbers, of_hidden: Numbers, bias_ih: Numbers, bias_hh: Numbers
) -> dict[str, Numbers]:
    """The tables of `lstm.hpp`, from PyTorch's tensors in the order i, f, g, o."""
    factors = (LOGISTIC, LOGISTIC, 1.0, LOGISTIC)
    return {
        "bias": by_column((bias_ih + bias_hh)[:, np.newaxis], factors),
        "input": by_column(of_input, factors),
        "hidden": by_column(of_hidden, factors),
    }


def gru_tables(
    of_input: Numbers, of_hidden: Numbers, bias_ih: Numbers, bias_hh: Numbers
) -> dict[str, Numbers]:
    """The tables of `gru.hpp`, from PyTorch's tensors in the order r, z, m; m's hidden part is separate."""
    units = of_hidden.shape[1]
    both, apart = bias_ih + bias_hh, bias_hh[2 * units :]
    bias = np.concatenate([both[: 2 * units], bias_ih[2 * units :], apart])
    nothing = np.zeros((units, of_input.shape[1]))
    factors = (LOGISTIC, LOGISTIC, 1.0)
    return {
        "bias": by_column(bias[:, np.newaxis], (*factors, 1.0)),
        "input": by_column(np.concatenate([of_input, nothing]), (*factors, 1.0)),
        "hidden": by_column(of_hidden, factors),
    }


def padded(rows: Numbers) -> Numbers:
    """(rows, units) -> (rows, units padded with zeros to whole vectors)."""
    return np.pad(rows, ((0, 0), (0, -rows.shape[1] % WIDEST_LANES)))


def by_column(matrix: Numbers, factors: tuple[float, ...]) -> Numbers:
    """(gates H, columns) -> (columns, gates, H padded with zeros), every gate times its factor."""
    gates = matrix.reshape(len(factors), -1, matrix.shape[1]) * np.reshape(factors, (-1, 1, 1))
    return padded(gates.transpose(2, 0, 1).reshape(-1, gates.shape[1])).reshape(
        matrix.shape[1], len(factors), -1
    )
