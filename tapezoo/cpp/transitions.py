"""State transition nets: one small net, or one whose weights follow the controls."""

from __future__ import annotations

import numpy as np

from tapezoo.architecture import ControlledTransition, Dense, TableWeights, Transition
from tapezoo.cpp.program import Program, Rows
from tapezoo.cpp.text import Numbers, braced

INPUTS = {"plain": 4, "mirrored": 4, "sign": 5, "anhysteretic": 6}
MOST_NUMBERS = 1 << 20  # in a table, as text


def unwritable_transition(layer: Transition | ControlledTransition, alone: bool) -> str | None:
    """The part that cannot be written in C++; None: all of it can."""
    if not alone:
        return "a state transition beside other layers"
    if isinstance(layer, Transition):
        widths = {layer.first.outputs, layer.head.inputs, *(each.outputs for each in layer.hidden)}
        return None if len(widths) == 1 else "a state transition with layers of several widths"
    rows, columns = layer.weights.shape
    return (
        None
        if rows * columns <= MOST_NUMBERS
        else f"a table of {rows * columns} numbers, over {MOST_NUMBERS}"
    )


def add_transition(program: Program, layer: Transition) -> Rows:
    """The net with constant weights."""
    program.use("transition.hpp", "transition_fixed.hpp")
    width, inputs = layer.first.outputs, INPUTS[layer.inputs]
    controls = layer.first.inputs - inputs - 1
    weight, bias = _dense(program, layer.first)
    rows = [weight.T, bias[np.newaxis]]
    for hidden in layer.hidden:
        weight, bias = _dense(program, hidden)
        rows += [weight.T, bias[np.newaxis]]
    weight, bias = _dense(program, layer.head)
    limit = program.weight(layer.limit, (1,))
    rows += [weight, np.full((1, width), bias[0]), np.full((1, width), limit[0])]
    bend = 0.0 if layer.bend is None else float(program.weight(layer.bend, (1,))[0])
    sizes = {"width": width, "layers": 1 + len(layer.hidden), "controls": controls}
    table = program.table(
        "Step",
        {**sizes, **_kind(layer)},
        {"weights": np.concatenate(rows)},
        {**_numbers(layer), "bend": bend},
    )
    program.forgets.append("step.forget();")
    return _member(program, f"FixedTransition<{table}>", layer)


def add_controlled(program: Program, layer: ControlledTransition) -> Rows:
    """The net whose weights follow the controls."""
    program.use("transition.hpp", "transition_mixed.hpp")
    of, knobs = layer.weights, program.num_controls
    sizes = {"width": layer.width, "layers": layer.layers, "controls": 0, "knobs": knobs}
    if isinstance(of, TableWeights):
        axes, added = of.axes, of.axes.count(0)
        nets, limits = program.weight(of.table, of.shape), program.weight(of.limits, of.shape[:1])
        rows = np.insert(nets, nets.shape[1] - layer.width * added, limits, axis=1)
        scales = program.weight(of.scales, (len(nets), 1 + added))
        whole = {"axes": axes, "exponents": ()}
    else:
        limits = program.weight(of.limits, of.shape[1:])
        scales = program.weight(of.scales, of.shape[1:])[:, np.newaxis]
        rows, added = np.append(program.weight(of.coefficients, of.shape), limits[np.newaxis], axis=0).T, 0
        whole = {"axes": (), "exponents": tuple(np.ravel(np.array(of.exponents, dtype=int)).tolist())}
    sizes |= {"rows": len(rows), "added": added, "polynomial": int(not isinstance(of, TableWeights))}
    table = program.table(
        "Step",
        {**sizes, **_kind(layer)},
        {
            "table": np.stack([_turned(row, layer, added) for row in rows]),
            "scales": np.ascontiguousarray(scales),
        },
        {**_numbers(layer), "bend": 0.0},
        [
            f"static constexpr int {key}[] = {braced(map(str, value or (0,)))};"
            for key, value in whole.items()
        ],
    )
    program.forgets.append("step.forget();")
    if layer.held is not None:
        program.remember(layer.held, ("knobs", "_held"))
    return _member(program, f"MixedTransition<{table}>", layer)


def _member(program: Program, kind: str, layer: Transition | ControlledTransition) -> Rows:
    program.member(kind, "step")
    program.say("step.play(signal, out, samples);")
    for tensor, part in zip(layer.state, ("field", "slope", "output"), strict=True):
        program.remember(tensor, ("step", f"_{part}"))
    return Rows("out", 1)


def _kind(layer: Transition | ControlledTransition) -> dict[str, int]:
    return {"inputs": INPUTS[layer.inputs], "mirrored": int(layer.inputs == "mirrored")}


def _numbers(layer: Transition | ControlledTransition) -> dict[str, float]:
    return {
        "alpha": layer.alpha,
        "gain": (1 + layer.alpha) * layer.rise,
        "half": 0.5 / layer.rise,
        "increment": (layer.increment or 0.0) / layer.rise,
        "scale": layer.slope_scale,
        "still": layer.still,
    }


def _dense(program: Program, layer: Dense) -> tuple[Numbers, Numbers]:
    return program.weight(layer.weight, (layer.outputs, layer.inputs)), program.weight(
        layer.bias, (layer.outputs,)
    )


def _turned(row: Numbers, layer: ControlledTransition, added: int) -> Numbers:
    """A net's numbers in the form of `transition.hpp`, then the biases that controls add."""
    width, heard = layer.width, INPUTS[layer.inputs] + 1
    parts, begin = [], 0

    def take(*shape: int) -> Numbers:
        nonlocal begin
        size = int(np.prod(shape))
        begin += size
        return row[begin - size : begin].reshape(shape)

    for columns in (heard, *[width] * (layer.layers - 1)):
        parts += [take(width, columns).T, take(1, width)]
    parts += [take(1, width), np.full((1, width), take(1)[0])]
    parts += [np.full((1, width), take(1)[0]), take(added, width)]
    return np.concatenate(parts).reshape(-1)
