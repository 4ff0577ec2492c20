"""LSTM and GRU nets in which all weights follow the controls."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tapezoo.architecture import ControlledRecurrent, Recurrent
from tapezoo.cpp.grid import MOST_NUMBERS, join_programs
from tapezoo.cpp.program import Program, Rows, Signal
from tapezoo.cpp.recurrent import add_recurrent, padded
from tapezoo.cpp.text import Numbers

CELL = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
SUMS = 4  # per unit, in both kinds of cells


def unwritable_hyper(layer: ControlledRecurrent, alone: bool) -> str | None:
    """The part that cannot be written in C++; None: all of it can."""
    if not alone:
        return "layers with weights by controls beside other layers"
    columns = sum(1 + layer.units + (layer.units if index else 1) for index in range(layer.layers))
    numbers = layer.components * columns * SUMS * len(padded(np.zeros((1, layer.units)))[0])
    return None if numbers <= MOST_NUMBERS else f"tables of {numbers} numbers, over {MOST_NUMBERS}"


def add_hyper(program: Program, layer: ControlledRecurrent) -> Rows:
    """The whole net, with its output in `out`."""
    weights = {name: _apart(program.weights[key], layer.controls) for name, key in layer.corners.items()}
    # plus one part of zeros: a part can be a constant for every code only if it is 0
    ended = {name: np.append(parts, 0 * parts[:1], axis=0) for name, parts in weights.items()}
    cells = [_cell(program, layer, ended, part) for part in range(layer.components + 1)]
    joined = join_programs(cells, layer.components)
    assert not isinstance(joined, str)
    cell, parts = joined.program, joined.numbers[:-1]
    program.use(*cell.pieces, "line.hpp", "filter.hpp", "controlled_filter.hpp", "rows.hpp", "hyper.hpp")
    program.tables += cell.tables
    program.members += cell.members
    for name in layer.state:
        program.loads[name], program.saves[name] = cell.loads[name], cell.saves[name]
    program.remember(layer.held, ("knobs", "_held"))

    bend = [program.weights[name] for name in layer.bend] or [np.zeros(1), np.zeros(1)]
    sizes = {"controls": layer.controls, "bent": layer.bent, "blend": int(layer.blend)}
    tables = {"bend": bend[0], "bend_bias": bend[1], "parts": parts}
    code = program.table("Code0", {**sizes, "numbers": parts.shape[1]}, tables)
    program.members += [f"Code<{code}> code;", f"Cells<{code}> cells;"]
    program.forgets += ["code.forget();", "cells.forget();"]
    head = program.table(
        "Head",
        {"parts": layer.components},
        {"bias": weights["bias"], "head": padded(weights["weight"])},
    )
    *_, last = cell.owners
    program.say(
        "code.follow(signal + CHUNK, still);",
        "for (int begin = 0, end; begin < samples; begin = end) {",
        "  end = cells.next(knobs.steps(), begin, samples);",
        *(f"  {name}.use(cells.tables());" for name in cell.owners),
        *(f"  {line}" for line in cell.statements),
        f"  read_out_mixed({program.held(head)}, {last}.features, code.rows, out, begin, end);",
        "}",
    )
    if layer.taps:
        _add_path(program, layer, weights["taps"])
    return Rows("out", 1)


def _apart(corners: Numbers, controls: int) -> Numbers:
    """(*shape, D) of V -> (D, *shape) of W."""
    parts = np.moveaxis(corners, -1, 0).copy()
    parts[1 : 1 + controls] -= parts[0]
    return parts


def _cell(program: Program, layer: ControlledRecurrent, weights: Mapping[str, Numbers], part: int) -> Program:
    """The recurrent layers with the weights W_d of one part."""
    own: dict[str, Numbers] = {}
    for index in range(layer.layers):
        names = [f"{name}_l{index}" for name in CELL]
        own |= {name: weights[name][part] for name in names[:3]}
        own[names[3]] = np.zeros_like(own[names[2]])
        if layer.cell == "gru":
            own[names[3]][2 * layer.units :] = weights[f"bias_m_l{index}"][part]
    cell = Program(own, program.shapes, 0, pieces=["recurrent.hpp", f"{layer.cell}.hpp"])
    signal: Signal = Rows("signal + begin", 1)
    for index in range(layer.layers):
        weight_ih, weight_hh, bias_ih, bias_hh = (f"{name}_l{index}" for name in CELL)
        each = Recurrent(
            layer.cell,
            layer.units if index else 1,
            layer.units,
            weight_ih,
            weight_hh,
            bias_ih,
            bias_hh,
            layer.state,
            index,
        )
        signal = add_recurrent(cell, each, signal, "end - begin")
    return cell


def _add_path(program: Program, layer: ControlledRecurrent, taps: Numbers) -> None:
    sizes = {"length": layer.taps, "controls": layer.components - 1}
    table = program.table("PathTaps", sizes, {"taps": taps})
    program.buffer("direct", 1)
    program.member(f"ControlledFilter<{table}>", "path")
    program.forgets.append("path.forget();")
    program.say("path.play(code.rows + CHUNK, still, signal, direct, samples);", "add(out, direct);")
    if layer.past is not None:
        program.remember(layer.past, ("path", ""))
