"""Grids whose points are one-pole filters, made by hand: what they do is known without any net."""

import itertools

import numpy as np
import onnx
from onnx import TensorProto, helper
from scipy.signal import lfilter

from tapezoo.bundle import Manifest, StateTensor
from tapezoo.bundle.grid.index import GRAPH, INDEX, GridAxis, GridIndex, GridPoint, point_sha256
from tapezoo.bundle.grid.tensors import point_of, write_tensors
from tapezoo.controls import Control

RATE_HZ = 44100
OPSET, IR = 17, 8
WEIGHTS_OF = ("gain", "pole", "bias")
CONTROLS = (Control("drive", 0, 10, 5, "dB"), Control("tone", 0, 1, 0.5))


def graph():
    """y[n] = gain x[n] + pole y[n-1] + bias, which is onnx's RNN with one unit and no bend."""
    value = helper.make_tensor_value_info
    inputs = [
        value("input", TensorProto.FLOAT, ["batch", 1, "samples"]),
        value("state_level", TensorProto.FLOAT, ["batch", 1]),
        value("weight_gain", TensorProto.FLOAT, [1, 1, 1]),
        value("weight_pole", TensorProto.FLOAT, [1, 1, 1]),
        value("weight_bias", TensorProto.FLOAT, [1, 2]),
    ]
    outputs = [
        value("output", TensorProto.FLOAT, ["batch", 1, "samples"]),
        value("next_level", TensorProto.FLOAT, ["batch", 1]),
    ]
    nodes = [
        helper.make_node("Transpose", ["input"], ["x"], perm=[2, 0, 1]),
        helper.make_node("Unsqueeze", ["state_level", "zero"], ["h"]),
        helper.make_node(
            "RNN",
            ["x", "weight_gain", "weight_pole", "weight_bias", "", "h"],
            ["y", "last"],
            hidden_size=1,
            activations=["Affine"],
            activation_alpha=[1.0],
            activation_beta=[0.0],
        ),
        helper.make_node("Squeeze", ["y", "one"], ["y3"]),
        helper.make_node("Transpose", ["y3"], ["output"], perm=[1, 2, 0]),
        helper.make_node("Squeeze", ["last", "zero"], ["next_level"]),
    ]
    constants = [
        helper.make_tensor("zero", TensorProto.INT64, [1], [0]),
        helper.make_tensor("one", TensorProto.INT64, [1], [1]),
    ]
    made = helper.make_graph(nodes, "one-pole", inputs, outputs, constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)


def manifest(controls, hop_samples=1):
    return Manifest(
        architecture="OnePole",
        sample_rate=RATE_HZ,
        controls=tuple(controls),
        receptive_field=None,
        latency_samples=0,
        hop_samples=hop_samples,
        settle_samples=4096,
        state=(StateTensor("level", (1,), "float32"),),
        targets={},
        golden=(),
        files={INDEX: "0" * 64},
        metrics={},
        parity=(),
        cost={},
        provenance={},
        grid=INDEX,
    )


def write_grid(
    root,
    positions,
    point,
    *,
    rule="weights",
    kind="sampled",
    held=None,
    preroll_samples=0,
    crossfade_samples=0,
    hop_samples=1,
    change=lambda tensors: None,
):
    """Writes grid/ below `root`; returns the manifest. `positions`: one sequence per axis, which take the first
    controls; `point`: (position per axis) -> (gain, pole, bias); `change`: called with the tensors first.
    """
    (root / "grid").mkdir(parents=True)
    moving = CONTROLS[: len(positions)]
    held = held or {}
    where = list(itertools.product(*positions))
    values = np.array([point(*at) for at in where], dtype=np.float32)
    gain, pole, bias = (values[:, number] for number in range(3))
    tensors = {
        "weight/gain": gain.reshape(-1, 1, 1, 1).copy(),
        "weight/pole": pole.reshape(-1, 1, 1, 1).copy(),
        "weight/bias": np.stack([bias, np.zeros_like(bias)], axis=-1)[:, np.newaxis],
        "rest/level": (bias / (1 - pole)).reshape(-1, 1),
    }
    change(tensors)
    write_tensors(root, tensors)
    onnx.save(graph(), root / GRAPH)
    index = GridIndex(
        kind=kind,
        rule=rule,
        axes=tuple(
            GridAxis.of(control, at, map(control.denormalize, at))
            for control, at in zip(moving, positions, strict=True)
        ),
        held=held,
        state=(StateTensor("level", (1,), "float32"),),
        weights=WEIGHTS_OF,
        points=tuple(
            GridPoint(at, point_sha256(point_of(tensors, number)), 0.0, 4096)
            for number, at in enumerate(itertools.product(*(range(len(at)) for at in positions)))
        ),
        preroll_samples=preroll_samples,
        crossfade_samples=crossfade_samples,
        error={},
        cost={},
        size_bytes=sum(tensor[0].nbytes for tensor in tensors.values()),
    )
    (root / INDEX).write_text(index.to_json())
    known = [*moving, *(control for control in CONTROLS if control.name in held)]
    return manifest(known, hop_samples)


def filtered(signal, gain, pole, bias):
    """The reference: scipy's filter from its rest, over the last axis, in double precision."""
    rest = bias / (1 - pole)
    start = np.full((*np.shape(signal)[:-1], 1), pole * rest)
    return lfilter([1.0], [1.0, -pole], gain * np.asarray(signal, dtype=float) + bias, axis=-1, zi=start)[0]
