"""Stacks of layers with skip connections: WaveNet and the gated convolutional nets."""

from __future__ import annotations

import numpy as np

from tapezoo.architecture import Convolution, SkipLayer, SkipStack
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
from tapezoo.cpp.recurrent import LOGISTIC
from tapezoo.cpp.text import Numbers


def add_stack(program: Program, stack: SkipStack, index: int, before: Rows, last: bool) -> Rows:
    """One stack; the last one writes to `out`.

    Args:
        program: The program to extend.
        stack: With a head of one row if it is the last one, or if the z are side by side.
        index: Index of the stack in the net.
        before: The y with which it starts.
        last: Whether it is the last stack.
    """
    program.use("product.hpp", "line.hpp", "convolution.hpp", "skip_layer.hpp", "rows.hpp")
    names = [f"stack_{index}_{number}" for number in range(len(stack.layers))]
    channels = stack.layers[0].residual.inputs
    z = program.buffer(f"z_{index}", whole_groups(channels))
    summed = stack.skips == "sum"
    head = f"head_{index}" if summed else "nullptr"
    if summed and index == 0:
        program.buffer(head, whole_groups(channels))
        program.say(f"std::memset({head}, 0, sizeof {head});")
    _open(program, stack, names[0], index, before)
    pasts = []
    taps = stack.head.kernel_size
    parts = one_tap(program, stack.head) if taps == 1 else None
    for number, (layer, name) in enumerate(zip(stack.layers, names, strict=True)):
        table = _add_layer(program, layer, name, summed and layer.modulation is None)
        program.say(f"{name}.play(signal, {z}, {head}, samples);")
        if layer.modulation is not None:
            add_modulation(program, layer.modulation, f"{name}_by", z)
            if summed:
                program.say(f"add_rows<{channels}>({head}, {z});")
        if not summed:
            assert parts is not None
            weight, bias = parts[0][:, number * channels : (number + 1) * channels], parts[1]
            mixed = add_mix_down(program, f"{table}Head", weight, bias)
            more = "true" if number else "false"
            program.say(f"mix_down({program.held(mixed)}, {z}, CHUNK, out, {more}, samples);")
        if number + 1 < len(names):
            following = names[number + 1]
            program.say(f"{name}.pass({z}, {following}.dilated.open(), {following}.STRIDE, samples);")
        elif last:
            program.say(f"{name}.dilated.close(samples);")
        else:
            program.buffer(f"y_{index}", whole_groups(channels))
            program.say(f"{name}.pass({z}, y_{index}, CHUNK, samples);")
        convolution = layer.convolution
        reach = (convolution.kernel_size - 1) * convolution.dilation
        pasts.append(Past(f"{name}.dilated", convolution.inputs, reach))
    remember_pasts(program, stack.state, pasts)
    if summed and last and parts is None:
        _read_taps(program, stack.head, head, index)
    elif summed and last:
        assert parts is not None
        mixed = add_mix_down(program, f"Head{index}", *parts)
        program.say(f"mix_down({program.held(mixed)}, {head}, CHUNK, out, false, samples);")
    elif summed:
        assert parts is not None
        mixed = add_product(program, f"Head{index}", *parts)
        program.buffer(f"head_{index + 1}", whole_groups(stack.head.outputs))
        program.say(f"product({program.held(mixed)}, {head}, CHUNK, head_{index + 1}, CHUNK, samples);")
    return Rows("out", 1) if last else Rows(f"y_{index}", channels)


def _read_taps(program: Program, layer: Convolution, head: str, index: int) -> None:
    """Writes `out` by a head of several taps."""
    weight = program.weight(layer.weight, (layer.outputs, layer.inputs, layer.kernel_size))
    bias = program.weight(layer.bias, (layer.outputs,))
    name = f"read_{index}"
    table = add_convolution(program, f"Head{index}", weight, bias, layer.dilation)
    program.member(f"Convolution<{table}>", name)
    program.say(f"copy_rows<{layer.inputs}>({head}, {name}.open(), {name}.STRIDE);")
    row = program.buffer(f"rows_{index}", whole_groups(layer.outputs))
    program.say(f"{name}.play({row}, samples);")
    program.say(f"{name}.close(samples);")
    program.say(f"copy_rows<1>({row}, out, CHUNK);")
    assert layer.state is not None
    remember_pasts(program, (layer.state,), [Past(name, layer.inputs, layer.kernel_size - 1)])


def _open(program: Program, stack: SkipStack, first: str, index: int, before: Rows) -> None:
    """Writes the first layer's y."""
    target = f"{first}.dilated.open()"
    if stack.widen is None:
        program.say(
            f"copy_rows<{stack.layers[0].convolution.inputs}>({before.pointer}, {target}, {first}.STRIDE);"
        )
        return
    widen = add_product(program, f"Widen{index}", *one_tap(program, stack.widen))
    program.say(
        f"product({program.held(widen)}, {before.pointer}, CHUNK, {target}, {first}.STRIDE, samples);"
    )


def _add_layer(program: Program, layer: SkipLayer, name: str, summed: bool) -> str:
    """The tables and the member of one layer; the struct's name."""
    table = "".join(part.capitalize() for part in name.split("_"))
    convolution = layer.convolution
    is_gated = layer.activation == "gated"
    shape = convolution.outputs, convolution.inputs, convolution.kernel_size
    weight, bias = program.weight(convolution.weight, shape), program.weight(convolution.bias, shape[:1])
    mix = np.zeros((shape[0], 0))
    if layer.mix is not None:
        mix, more = one_tap(program, layer.mix)
        bias = bias + more
    if is_gated:
        weight, mix, bias = (_interleaved(part) for part in (weight, mix, bias))
    parts = {
        "Dilated": add_convolution(program, f"{table}Dilated", weight, bias, convolution.dilation),
        "Mix": add_product(program, f"{table}Mix", mix, np.zeros(len(mix))),
        "Residual": add_product(program, f"{table}Residual", *one_tap(program, layer.residual)),
    }
    others = [f"typedef {kind} {part};" for part, kind in parts.items()]
    flags = {"gated": is_gated, "leaky": layer.activation == "leaky_relu", "summed": summed}
    others += [
        f"static constexpr bool {key} = {'true' if value else 'false'};" for key, value in flags.items()
    ]
    program.table(table, {}, {}, others=others)
    program.member(f"SkipLayer<{table}>", name)
    return table


def _interleaved(part: Numbers) -> Numbers:
    """Rows a_0 .. a_C, b_0 .. b_C -> a_0, a_1, b_0, b_1, a_2 ..., the b scaled for `power_of_two`."""
    channels = len(part) // 2
    halves = part[:channels], LOGISTIC * part[channels:]
    even = [np.pad(half, [(0, channels % 2)] + [(0, 0)] * (part.ndim - 1)) for half in halves]
    pairs = [half.reshape(len(half) // 2, 2, *part.shape[1:]) for half in even]
    return np.concatenate(pairs, axis=1).reshape(2 * len(even[0]), *part.shape[1:])
