"""What a kernel's file holds, as a description and weights that C++ can be written from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from tapezoo.architecture import (
    Architecture,
    ControlledTransition,
    Convolution,
    Dense,
    PolynomialWeights,
    Recurrent,
    SkipLayer,
    SkipStack,
    TableWeights,
    Transition,
)
from tapezoo.cpp import Tape
from tapezoo.runtime.kernels.file import KernelFile
from tapezoo.runtime.kernels.tape import KERNEL as TAPED
from tapezoo.runtime.kernels.tape import NONLINEARITY

STATE = ("field", "slope", "output")
HELD = "step_controls"
HISTORY = "control_history"

Numbers = NDArray[Any]
Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Described:
    """A net in the words of `tapezoo.architecture`.

    Args:
        architecture: What it is made of.
        weights: By the names in it, float64.
        shapes: Of the tensors that it remembers, its glide included.
        tape: What stands behind it.
    """

    architecture: Architecture
    weights: Mapping[str, Numbers]
    shapes: Mapping[str, tuple[int, ...]]
    tape: Tape | None = None


def has_description(kernel: str) -> bool:
    """Whether the nets of this kernel can be described."""
    return kernel in _DESCRIBERS


def describe(file: KernelFile) -> Described:
    """The net that a kernel's file holds; `tapezoo.runtime.kernels.voices` has checked that it is one.

    Raises:
        ValueError: Settings that only numba's loops support.
        KeyError: A kernel without a description, see `has_description`.
    """
    if file.kernel == TAPED:
        net, tape = describe(replace(file, kernel=file.settings[NONLINEARITY])), _tape(file)
        return replace(net, shapes={**net.shapes, **tape.shapes}, tape=tape)
    if file.num_controls and file.glide != "mean":
        raise ValueError(f"controls that glide as a {file.glide}")
    architecture, weights, shapes = _DESCRIBERS[file.kernel](file)
    if file.num_controls:
        shapes[HISTORY] = (file.num_controls, file.smoothing_samples)
    doubles = {name: np.asarray(array, np.float64) for name, array in weights.items()}
    return Described(architecture, doubles, shapes)


def _tape(file: KernelFile) -> Tape:
    """What `tapezoo.runtime.kernels.tape.TapedChannel` has checked."""
    curves, sinc = np.zeros((0, 2)), np.zeros((2, 16), np.float32)
    hop = reach = 0
    if "tape.curves" in file.arrays:
        curves = file.arrays["tape.curves"].astype(np.float64) + file.arrays["tape.curves_rest"]
        sinc = file.arrays["tape.sinc"]
        hop, reach = (int(file.settings[f"tape_{name}_samples"]) for name in ("hop", "reach"))
    noise, modulation = (
        file.arrays.get(f"tape.{name}", np.zeros(0, np.float32)) for name in ("noise", "modulation")
    )
    return Tape(curves, hop, reach, sinc, noise, modulation, int(file.settings["tape_smoothing_samples"]))


_Parts = tuple[Architecture, dict[str, Numbers], Shapes]


def _recurrent(file: KernelFile) -> _Parts:
    kind = cast(Literal["lstm", "gru"], file.kernel)
    memory = ("hidden", "cell") if kind == "lstm" else ("hidden",)
    units, taps = file.arrays["head.weight"].shape[0], file.arrays["taps"].shape[0]
    count = int(file.settings["layers"])
    weights: dict[str, Numbers] = {
        "head.weight": file.arrays["head.weight"],
        "head.bias": file.arrays["head.bias"],
        "taps": file.arrays["taps"],
    }
    layers = []
    for index in range(count):
        name, inputs = f"layer_{index}", units if index else 1 + file.num_controls
        parts = [file.arrays[f"{name}.{part}"] for part in ("input", "hidden", "bias")]
        sums = (*parts, np.zeros_like(parts[2])) if kind == "lstm" else _gru_tensors(*parts)
        of = [f"{name}.{part}" for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        weights |= dict(zip(of, sums, strict=True))
        layers.append(Recurrent(kind, inputs, units, of[0], of[1], of[2], of[3], memory, index))
    shapes: Shapes = dict.fromkeys(memory, (count, units))
    if taps > 1:
        shapes["past"] = (1, taps - 1)
    path = Convolution(1, 1, taps, "taps", state="past" if taps > 1 else None)
    head = Dense(units, 1, "head.weight", "head.bias")
    return _net(file, (*layers, head), shapes, linear_path=path), weights, shapes


def _gru_tensors(of_input: Numbers, of_hidden: Numbers, bias: Numbers) -> tuple[Numbers, ...]:
    """PyTorch's tensors from the sums r, z, m of the input, m of the hidden state."""
    units = of_hidden.shape[1]
    r_z, m, apart = slice(2 * units), slice(2 * units, 3 * units), slice(3 * units, None)
    if of_input[apart].any() or of_hidden[m].any():
        raise ValueError("a candidate whose two sums hear both")
    return (
        of_input[: 3 * units],
        np.concatenate([of_hidden[r_z], of_hidden[apart]]),
        bias[: 3 * units],
        np.concatenate([0 * bias[r_z], bias[apart]]),
    )


def _wavenet(file: KernelFile) -> _Parts:
    weights: dict[str, Numbers] = {}
    shapes: Shapes = {}
    dilations = [int(value) for value in file.settings["dilations"].split(",")]
    count, before = int(file.settings["arrays"]), 1
    stacks = []
    for index in range(count):
        own = f"array_{index}"
        dilated = file.arrays[f"{own}.dilated"]
        _, rows, channels, taps = dilated.shape
        state = "past_last" if index == count - 1 else f"past_{index}"
        layers = []
        for number, dilation in enumerate(dilations):
            name = f"{own}.{number}"
            mix, residual = (file.arrays[f"{own}.{part}"][number] for part in ("mix", "residual"))
            weights |= {f"{name}.dilated": dilated[number], f"{name}.bias": mix[:, -1]}
            weights |= {f"{name}.mix": mix[:, :-1], f"{name}.residual": residual[:, :-1]}
            weights[f"{name}.residual_bias"] = residual[:, -1]
            layers.append(
                SkipLayer(
                    Convolution(channels, rows, taps, f"{name}.dilated", f"{name}.bias", dilation),
                    "gated" if rows == 2 * channels else "tanh",
                    Convolution(channels, channels, 1, f"{name}.residual", f"{name}.residual_bias"),
                    Convolution(mix.shape[1] - 1, rows, 1, f"{name}.mix"),
                )
            )
        head = file.arrays[f"{own}.head"]
        weights |= {f"{own}.head.weight": head[:, :-1], f"{own}.head.bias": head[:, -1]}
        weights[f"{own}.widen"] = file.arrays[f"{own}.widen"]
        stacks.append(
            SkipStack(
                tuple(layers),
                Convolution(channels, len(head), 1, f"{own}.head.weight", f"{own}.head.bias"),
                "sum",
                (state,),
                Convolution(before, channels, 1, f"{own}.widen"),
            )
        )
        shapes[state] = (channels, sum(dilations) * (taps - 1))
        before = channels
    beside = None
    if file.kernel == "filtered_wavenet":
        weights |= {name: file.arrays[name] for name in ("beside.taps", "beside.bias")}
        length = file.arrays["beside.taps"].shape[0]
        if length > 1:
            shapes["past"] = (1, length - 1)
        beside = Convolution(1, 1, length, "beside.taps", "beside.bias", state="past" if length > 1 else None)
    return _net(file, tuple(stacks), shapes, beside=beside), weights, shapes


def _transition(file: KernelFile) -> _Parts:
    width, hidden = file.arrays["head.weight"].shape[0], int(file.settings["layers"]) - 1
    weights: dict[str, Numbers] = dict(file.arrays)
    inner = []
    for index in range(hidden):
        weights[f"hidden.{index}.weight"] = file.arrays["hidden.weight"][index]
        weights[f"hidden.{index}.bias"] = file.arrays["hidden.bias"][index]
        inner.append(Dense(width, width, f"hidden.{index}.weight", f"hidden.{index}.bias"))
    layer = Transition(
        Dense(file.arrays["first.weight"].shape[1], width, "first.weight", "first.bias"),
        tuple(inner),
        Dense(width, 1, "head.weight", "head.bias"),
        "limit",
        bend="bend" if file.settings["inputs"] == "anhysteretic" else None,
        state=STATE,
        **_step_settings(file),
    )
    shapes: Shapes = dict.fromkeys(STATE, (1,))
    return _net(file, (layer,), shapes), weights, shapes


def _controlled(file: KernelFile) -> _Parts:
    weights: dict[str, Numbers] = {}
    width, knobs = int(file.settings["width"]), file.num_controls
    of: TableWeights | PolynomialWeights
    if file.kernel == "transition_table":
        said, table = file.settings["axes"], file.arrays["table"]
        axes = tuple(int(count) for count in said.split(",")) if said else ()
        own = table.shape[1] - width * axes.count(0) - 1
        nets = np.delete(table, own, axis=1)
        weights = {"table": nets, "limits": table[:, own], "scales": file.arrays["scales"]}
        of = TableWeights(axes, "table", (nets.shape[0], nets.shape[1]), "limits", "scales")
    else:
        rows = file.arrays["coefficients"]
        powers = file.arrays["exponents"] if knobs else np.zeros((rows.shape[1], 0))
        weights = {"coefficients": rows[:-1], "limits": rows[-1], "scales": file.arrays["scales"][:, 0]}
        exponents = tuple(tuple(int(power) for power in term) for term in powers)
        of = PolynomialWeights(
            exponents, "coefficients", (rows.shape[0] - 1, rows.shape[1]), "limits", "scales"
        )
    layer = ControlledTransition(
        int(file.settings["layers"]),
        width,
        of,
        state=STATE,
        held=HELD if knobs else None,
        step_samples=int(file.settings["step_samples"]),
        **_step_settings(file),
    )
    shapes: Shapes = dict.fromkeys(STATE, (1,))
    if knobs:
        shapes[HELD] = (knobs,)
    at: Literal["weights"] | None = "weights" if knobs else None
    return _net(file, (layer,), shapes, controls_at=at), weights, shapes


def _step_settings(file: KernelFile) -> dict[str, Any]:
    numbers = {name: float(file.settings[name]) for name in ("alpha", "rise", "slope_scale", "still")}
    increment = float(file.settings["increment"])
    return {"inputs": file.settings["inputs"], "increment": increment or None, **numbers}


def _net(file: KernelFile, layers: tuple[Any, ...], shapes: Shapes, **others: Any) -> Architecture:
    where = {"controls_at": "input" if file.num_controls else None}
    return Architecture(
        layers, tuple(shapes), file.num_controls, file.smoothing_samples, **{**where, **others}
    )


_DESCRIBERS: Mapping[str, Callable[[KernelFile], _Parts]] = MappingProxyType(
    {
        "lstm": _recurrent,
        "gru": _recurrent,
        "wavenet": _wavenet,
        "filtered_wavenet": _wavenet,
        "transition": _transition,
        "transition_table": _controlled,
        "transition_polynomial": _controlled,
    }
)
