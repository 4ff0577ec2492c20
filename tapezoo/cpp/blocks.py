"""Residual blocks, such as a TCN's, and the layers after them."""

from __future__ import annotations

import numpy as np

from tapezoo.architecture import Activation, Convolution, Dense, ResidualBlock
from tapezoo.cpp.convolutions import (
    Past,
    add_convolution,
    add_mix_down,
    add_product,
    one_tap,
    remember_pasts,
    whole_groups,
)
from tapezoo.cpp.modulations import add_modulation
from tapezoo.cpp.program import Program, Rows


def add_block(program: Program, block: ResidualBlock, index: int, before: Rows) -> Rows:
    """One block; its output goes to a buffer of its own."""
    program.use("product.hpp", "line.hpp", "convolution.hpp", "residual_block.hpp", "rows.hpp")
    name, convolution = f"block_{index}", block.convolution
    rows, columns, taps = convolution.outputs, convolution.inputs, convolution.kernel_size
    weight, bias = (
        program.weight(convolution.weight, (rows, columns, taps)),
        program.weight(convolution.bias, (rows,)),
    )
    member = program.member(
        f"Convolution<{add_convolution(program, f'Block{index}Dilated', weight, bias, convolution.dilation)}>",
        name,
    )
    u, y = program.buffer(f"u_{index}", whole_groups(rows)), program.buffer(f"y_{index}", whole_groups(rows))
    program.say(
        f"copy_rows<{columns}>({before.pointer}, {member}.open(), {member}.STRIDE);",
        f"{member}.play({u}, samples);",
    )
    if block.modulation is not None:
        add_modulation(program, block.modulation, f"{name}_by", u)
    function = block.activation.function
    slope = (
        np.zeros(rows)
        if block.activation.weight is None
        else program.weight(block.activation.weight, (rows,))
    )
    table = program.table(
        f"Block{index}",
        {"channels": rows, "wide": int(columns > 1), "bends": int(function == "tanh")},
        {"gain": program.weight(block.gain, (rows,)), "slope": slope},
    )
    program.say(
        f"end_block({program.held(table)}, {u}, {member}.heard(), {member}.STRIDE, {y}, CHUNK, samples);",
        f"{member}.close(samples);",
    )
    if convolution.state is not None:
        remember_pasts(
            program, [convolution.state], [Past(member, columns, (taps - 1) * convolution.dilation)]
        )
    return Rows(y, rows)


def add_output(program: Program, layer: Convolution | Dense, before: Rows) -> Rows:
    """A 1x1 layer that gives the output."""
    table = add_mix_down(program, "Output", *one_tap(program, layer))
    program.say(f"mix_down({program.held(table)}, {before.pointer}, CHUNK, out, false, samples);")
    return Rows("out", 1)


def add_bend(program: Program) -> Rows:
    """A tanh on the output."""
    program.use("rows.hpp")
    program.say("bend_row(out);")
    return Rows("out", 1)


def add_embedding(program: Program, layers: tuple[Dense | Activation, ...]) -> None:
    """The embedding of the controls for the modulations, recomputed while the controls move."""
    program.use("product.hpp", "rows.hpp")
    source = program.controls
    program.members.append("bool embedded = false;")
    program.forgets.append("embedded = false;")
    lines = []
    for index, layer in enumerate(layers):
        if isinstance(layer, Dense):
            table = add_product(program, f"Embedding{index}", *one_tap(program, layer))
            target = program.buffer(f"embedding_{index}", whole_groups(layer.outputs))
            lines.append(
                f"  product({program.held(table)}, {source}, CHUNK, {target}, CHUNK, still ? LANES : samples);"
            )
            source = target
        else:
            lines.append(f"  clip_rows<{layer.channels}>({source});")
    program.say("if (!(still && embedded)) {", *lines, "}", "embedded = still;")
    program.controls = source
