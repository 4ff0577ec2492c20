"""A description as a program: its layers in series, the filters around them."""

from __future__ import annotations

from collections.abc import Mapping

from tapezoo.architecture import (
    VERSION,
    Activation,
    Architecture,
    ControlledFilter,
    ControlledRecurrent,
    ControlledTransition,
    Convolution,
    Curve,
    DelayedRecurrent,
    Dense,
    GreyBoxChain,
    Layer,
    Modulation,
    Recurrent,
    ResidualBlock,
    SkipStack,
    StateSpaceBlock,
    Transition,
)
from tapezoo.cpp.blocks import add_bend, add_block, add_embedding, add_output
from tapezoo.cpp.filters import add_controlled_filter, add_curve, add_filter, is_filter
from tapezoo.cpp.grey_boxes import add_grey_box
from tapezoo.cpp.hyper import add_hyper, unwritable_hyper
from tapezoo.cpp.modulations import add_modulation, is_writable
from tapezoo.cpp.program import Program, Rows, Sequenced, Signal
from tapezoo.cpp.recurrent import add_readout, add_recurrent, spread
from tapezoo.cpp.stacks import add_stack
from tapezoo.cpp.state_spaces import add_lift, add_state_space
from tapezoo.cpp.tape import Tape, add_no_tape, add_tape, with_tape
from tapezoo.cpp.text import Numbers
from tapezoo.cpp.transitions import add_controlled, add_transition, unwritable_transition

HISTORY = "control_history"


def unwritable(architecture: Architecture) -> str | None:
    """The part of a description that cannot be written in C++; None: all of it can."""
    if architecture.version != VERSION:
        return f"a description of version {architecture.version}, not {VERSION}"
    if architecture.num_controls and not architecture.smoothing_samples:
        return "controls that do not glide"
    for modulation in architecture.modulations():
        if not is_writable(modulation):
            return f"{modulation.by} among its layers"
    for path in (architecture.linear_path, architecture.before, architecture.beside):
        if not is_filter(path):
            return "a filter of several channels, or with a dilation"
    before: Layer | None = None
    for layer in architecture.layers:
        if isinstance(layer, GreyBoxChain) and len(architecture.layers) == 1:
            return None
        if isinstance(layer, ControlledRecurrent):
            return unwritable_hyper(layer, len(architecture.layers) == 1)
        if isinstance(layer, Transition | ControlledTransition):
            return unwritable_transition(layer, len(architecture.layers) == 1)
        if not _follows(layer, before, layer is architecture.layers[-1]):
            return f"a layer of kind {layer.kind!r} at its place"
        before = layer
    is_output = isinstance(before, Dense | SkipStack | Convolution | ControlledFilter | Activation | Curve)
    return None if is_output else "an output of several channels"


def _follows(layer: Layer, before: Layer | None, last: bool) -> bool:
    """Whether one layer can be written after the other."""
    if isinstance(layer, Recurrent | DelayedRecurrent):
        return isinstance(before, type(layer) | None)
    if isinstance(layer, Modulation):
        filtered = isinstance(before, Convolution | ControlledFilter) and layer.channels == 1
        return isinstance(before, Recurrent | DelayedRecurrent) or filtered
    if isinstance(layer, Curve):
        return isinstance(before, Convolution | ControlledFilter | Modulation)
    if isinstance(layer, ControlledFilter):
        return isinstance(before, Curve | None)
    if isinstance(layer, Dense):
        if before is None:
            return layer.inputs == 1 and not last
        features = isinstance(before, Recurrent | DelayedRecurrent | Modulation | StateSpaceBlock)
        return layer.outputs == 1 and features and last
    if isinstance(layer, StateSpaceBlock):
        return isinstance(before, Dense | StateSpaceBlock)
    if isinstance(layer, SkipStack):
        alone = layer.skips == "sum" or (before is None and last)
        one_tap = layer.head.kernel_size == 1
        written = one_tap or (last and layer.skips == "sum" and layer.head.dilation == 1)
        return (
            isinstance(before, SkipStack | None)
            and alone
            and written
            and (layer.head.outputs == 1 or not last)
        )
    if isinstance(layer, ResidualBlock):
        return isinstance(before, ResidualBlock | None) and layer.activation.function != "sigmoid"
    if isinstance(layer, Convolution):
        if isinstance(before, Curve | None):
            return is_filter(layer)
        return isinstance(before, ResidualBlock) and layer.kernel_size == layer.outputs == 1
    if isinstance(layer, Activation):
        return isinstance(before, Convolution) and layer.function == "tanh" and layer.channels == 1 and last
    return False


def program_of(
    architecture: Architecture,
    weights: Mapping[str, Numbers],
    shapes: Mapping[str, tuple[int, ...]],
    tape: Tape | None = None,
) -> Program:
    """The code of a net whose description `unwritable` accepts.

    Args:
        architecture: The net's description.
        weights: Its state dict, in double precision.
        shapes: Shapes of its state tensors.
        tape: What stands behind it.
    """
    knobs = architecture.num_controls
    program = Program(weights, shapes, knobs)
    _add_knobs(program, architecture, tape)
    aside = []
    if architecture.beside is not None:
        aside.append(program.buffer("aside", 1))
        add_filter(program, "beside", architecture.beside, "signal", "aside")
    if architecture.before is not None:
        add_filter(program, "before", architecture.before, "signal", "signal")
    gain = 1.0 if architecture.gain is None else float(weights[architecture.gain].reshape(-1)[0])
    signal: Signal = Rows("signal", 1 + (knobs if architecture.controls_at == "input" else 0))
    if architecture.embedding:
        add_embedding(program, architecture.embedding)
    before: Layer | None = None
    for index, layer in enumerate(architecture.layers):
        signal = _add(program, layer, before, signal, index, layer is architecture.layers[-1])
        before = layer
    scale = gain * architecture.scale
    if scale != 1.0:
        program.use("rows.hpp")
        table = program.table("Gain", {}, {}, {"factor": scale})
        program.say(f"scale(out, {program.held(table)}.factor);")
    if architecture.linear_path is not None:
        aside.append(program.buffer("direct", 1))
        add_filter(program, "path", architecture.linear_path, "signal", "direct", gain)
    for row in aside:
        program.use("rows.hpp")
        program.say(f"add(out, {row});")
    if tape is None:
        add_no_tape(program)
    else:
        add_tape(program, tape)
    return program


def _add_knobs(program: Program, architecture: Architecture, tape: Tape | None) -> None:
    kind = _knobs(program, architecture)
    program.knobs(kind if tape is None else with_tape(program, kind, tape))
    if architecture.num_controls:
        program.remember(HISTORY, ("knobs", ""))


def _knobs(program: Program, architecture: Architecture) -> str:
    """The type of what follows the net's own."""
    knobs, [first, *_] = architecture.num_controls, architecture.layers
    if not knobs:
        program.use("still.hpp")
        return "Still"
    program.use("glide.hpp")
    sizes = f"{knobs}, {architecture.smoothing_samples}"
    if isinstance(first, ControlledTransition):
        program.use("stepped.hpp")
        return f"Stepped<{sizes}, {first.step_samples}>"
    if isinstance(first, ControlledRecurrent):
        program.use("stepped.hpp", "recurrent.hpp", "hyper.hpp")
        return f"GlideAndSteps<{sizes}, {first.step_samples}>"
    return f"Glide<{sizes}>"


def _add(
    program: Program, layer: Layer, before: Layer | None, signal: Signal, index: int, last: bool
) -> Signal:
    if isinstance(layer, Recurrent | DelayedRecurrent):
        return add_recurrent(program, layer, signal)
    if isinstance(layer, SkipStack):
        assert isinstance(signal, Rows)
        return add_stack(program, layer, index, signal, last)
    if isinstance(layer, Transition):
        return add_transition(program, layer)
    if isinstance(layer, ControlledTransition):
        return add_controlled(program, layer)
    if isinstance(layer, ControlledRecurrent):
        return add_hyper(program, layer)
    if isinstance(layer, GreyBoxChain):
        add_grey_box(program, layer)
        return Rows("out", 1)
    if isinstance(layer, Activation):
        return add_bend(program)
    if isinstance(layer, Modulation):
        rows = spread(program, signal) if isinstance(signal, Sequenced) else signal
        add_modulation(program, layer, "modulation", rows.pointer)
        return rows
    if isinstance(layer, ControlledFilter | Convolution) and not isinstance(before, ResidualBlock):
        assert isinstance(signal, Rows)
        target = "out" if last else program.buffer(f"row_{index}", 4)
        if isinstance(layer, Convolution):
            add_filter(program, f"filter_{index}", layer, signal.pointer, target)
        else:
            add_controlled_filter(program, f"filter_{index}", layer, signal.pointer, target)
        return Rows(target, 1)
    if isinstance(layer, Curve):
        assert isinstance(signal, Rows)
        add_curve(program, layer, signal.pointer)
        return signal
    if isinstance(layer, ResidualBlock):
        assert isinstance(signal, Rows)
        return add_block(program, layer, index, signal)
    if isinstance(layer, StateSpaceBlock):
        assert isinstance(signal, Rows)
        return add_state_space(program, layer, index, signal)
    assert isinstance(layer, Dense | Convolution)
    if isinstance(layer, Dense) and isinstance(signal, Rows) and not last:
        return add_lift(program, layer, signal)
    if isinstance(signal, Rows):
        return add_output(program, layer, signal)
    assert isinstance(layer, Dense)
    add_readout(program, layer, signal)
    return Rows("out", 1)
