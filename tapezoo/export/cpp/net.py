"""A description as a program: its layers in series, the filters around them."""

from __future__ import annotations

from collections.abc import Mapping

from tapezoo.architecture import VERSION, Architecture, Dense, Layer, Recurrent, SkipStack
from tapezoo.export.cpp.filters import add_filter, is_filter
from tapezoo.export.cpp.modulations import is_writable
from tapezoo.export.cpp.program import Program, Rows, Sequenced, Signal
from tapezoo.export.cpp.recurrent import add_readout, add_recurrent
from tapezoo.export.cpp.stacks import add_stack
from tapezoo.export.cpp.text import Numbers

HISTORY = "control_history"


def unwritable(architecture: Architecture) -> str | None:
    """What of a description has no C++ here; None: all of it has."""
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
        if not _follows(layer, before, layer is architecture.layers[-1]):
            return f"a layer of kind {layer.kind!r} at its place"
        before = layer
    return None if isinstance(before, Dense | SkipStack) else "an output of several channels"


def _follows(layer: Layer, before: Layer | None, last: bool) -> bool:
    """Whether a layer can be written behind that one."""
    if isinstance(layer, Recurrent):
        return isinstance(before, Recurrent | None)
    if isinstance(layer, Dense):
        return layer.outputs == 1 and isinstance(before, Recurrent) and last
    if isinstance(layer, SkipStack):
        alone = layer.skips == "sum" or (before is None and last)
        return isinstance(before, SkipStack | None) and alone and (layer.head.outputs == 1 or not last)
    return False


def program_of(
    architecture: Architecture, weights: Mapping[str, Numbers], shapes: Mapping[str, tuple[int, ...]]
) -> Program:
    """The code of a net; `unwritable` is None for its description.

    Args:
        architecture: What it is made of.
        weights: Its state dict, in double precision.
        shapes: Of its state's tensors.
    """
    knobs = architecture.num_controls
    program = Program(weights, shapes, knobs)
    program.use("glide.hpp" if knobs else "still.hpp")
    program.member(f"Glide<{knobs}, {architecture.smoothing_samples}>" if knobs else "Still", "knobs")
    if knobs:
        program.remember(HISTORY, ("knobs", ""))
    aside = []
    if architecture.beside is not None:
        aside.append(program.buffer("aside", 1))
        add_filter(program, "beside", architecture.beside, "signal", "aside")
    if architecture.before is not None:
        add_filter(program, "before", architecture.before, "signal", "signal")
    gain = 1.0 if architecture.gain is None else float(weights[architecture.gain].reshape(-1)[0])
    signal: Signal = Rows("signal", 1 + (knobs if architecture.controls_at == "input" else 0))
    for index, layer in enumerate(architecture.layers):
        signal = _add(program, layer, signal, index, layer is architecture.layers[-1])
    scale = gain * architecture.scale
    if scale != 1.0:
        program.use("rows.hpp")
        program.say(f"scale(out, {scale!r}f);")
    if architecture.linear_path is not None:
        aside.append(program.buffer("direct", 1))
        add_filter(program, "path", architecture.linear_path, "signal", "direct", gain)
    for row in aside:
        program.use("rows.hpp")
        program.say(f"add(out, {row});")
    return program


def _add(program: Program, layer: Layer, signal: Signal, index: int, last: bool) -> Signal:
    if isinstance(layer, Recurrent):
        return add_recurrent(program, layer, signal)
    if isinstance(layer, SkipStack):
        assert isinstance(signal, Rows)
        return add_stack(program, layer, index, signal, last)
    assert isinstance(layer, Dense)
    assert isinstance(signal, Sequenced)
    add_readout(program, layer, signal)
    return Rows("out", 1)
