"""Blocks of diagonal state spaces, such as an S4D net's."""

from __future__ import annotations

import numpy as np

from tapezoo.architecture import Dense, StateSpaceBlock
from tapezoo.cpp.convolutions import add_product, one_tap, whole_groups
from tapezoo.cpp.modulations import add_modulation
from tapezoo.cpp.program import Program, Rows
from tapezoo.cpp.text import Numbers, double_table


def add_lift(program: Program, layer: Dense, before: Rows) -> Rows:
    """A layer from the signal to features."""
    program.use("product.hpp", "rows.hpp")
    table = add_product(program, "Lift", *one_tap(program, layer))
    rows = program.buffer("features", whole_groups(layer.outputs))
    program.say(f"product({program.held(table)}, {before.pointer}, CHUNK, {rows}, CHUNK, samples);")
    return Rows(rows, layer.outputs)


def add_state_space(program: Program, block: StateSpaceBlock, index: int, before: Rows) -> Rows:
    """One block; its output replaces its input."""
    program.use("product.hpp", "rows.hpp", "state_space.hpp")
    name, channels = f"space_{index}", block.mix.outputs
    mix = add_product(program, f"Space{index}Mix", *one_tap(program, block.mix))
    sizes = {"channels": channels, "modes": block.modes}
    tables = [double_table(key, value) for key, value in _tables(program, block, channels).items()]
    table = program.table(f"Space{index}", sizes, {}, others=tables)
    program.member(f"StateSpace<{table}>", name)
    u = program.buffer(f"u_{index}", whole_groups(channels))
    program.say(
        f"product({program.held(mix)}, {before.pointer}, CHUNK, {u}, CHUNK, samples);",
        f"bend_rows<{channels}>({u});",
        f"{name}.play({u}, samples);",
    )
    if block.modulation is not None:
        add_modulation(program, block.modulation, f"{name}_by", u)
    program.say(f"add_bent_rows<{channels}>({before.pointer}, {u});")
    program.remember(block.state, (name, ""))
    return before


def _tables(program: Program, block: StateSpaceBlock, channels: int) -> dict[str, Numbers]:
    own = slice(block.first, block.first + channels)
    dt = np.exp(program.weights[block.log_dt][own, np.newaxis])
    pole = -np.exp(program.weights[block.decay][own]) + 1j * program.weights[block.frequency][own]
    a = np.exp(dt * pole)
    b = (a - 1) / pole
    c = 2 * (program.weights[block.C][0, own] + 1j * program.weights[block.C][1, own])
    parts = {"a": a, "b": b, "c": c}
    tables = {f"{key}_re": value.real for key, value in parts.items()}
    tables |= {f"{key}_im": value.imag for key, value in parts.items()}
    return {**tables, "direct": program.weights[block.D][own]}
