"""A bundle small enough to make for every test, and what a forger does to one."""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tapezoo.bundle import GoldenCase, Manifest, StateTensor, file_hashes, seal, write_arrays
from tapezoo.controls import Control

GAIN = 0.5
FILES = [
    "MODEL_CARD.md",
    "SHA256SUMS",
    "golden/held.npz",
    "golden/input.npz",
    "manifest.json",
    "model.onnx",
    "rest_state.npz",
]


def gain_step(input, controls, state):
    """A one-pole memory, `y[n] = GAIN x[n] + last`, whose state is the last input."""
    output = GAIN * input
    output[..., 0] += state["last"]
    output[..., 1:] += input[..., :-1]
    return output.astype(np.float32), {"last": input[..., -1]}


def gain_graph(metadata=(("architecture", "Gain"), ("sample_rate", "44100"))) -> onnx.ModelProto:
    """`gain_step` as ONNX."""

    def constant(name, values):
        return numpy_helper.from_array(np.array(values), name)

    def port(name, *shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    graph = helper.make_graph(
        [
            helper.make_node("Unsqueeze", ["state_last", "end"], ["first"]),
            helper.make_node("Slice", ["input", "start", "stop", "end"], ["rest"]),
            helper.make_node("Concat", ["first", "rest"], ["delayed"], axis=2),
            helper.make_node("Mul", ["input", "gain"], ["scaled"]),
            helper.make_node("Add", ["scaled", "delayed"], ["output"]),
            helper.make_node("Slice", ["input", "stop", "far", "end"], ["last"]),
            helper.make_node("Squeeze", ["last", "end"], ["next_last"]),
        ],
        "gain",
        [port("input", "batch", 1, "samples"), port("controls", "batch", 1), port("state_last", "batch", 1)],
        [port("output", "batch", 1, "samples"), port("next_last", "batch", 1)],
        [
            constant("gain", np.float32([GAIN])),
            constant("end", [2]),
            constant("start", [0]),
            constant("stop", [-1]),
            constant("far", [1 << 40]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model, full_check=True)
    return model


def make_bundle(root: Path) -> str:
    (root / "golden").mkdir(parents=True)
    audio = np.random.default_rng(0).standard_normal((1, 300)).astype(np.float32)
    expected = (GAIN * audio + np.concatenate([np.zeros((1, 1)), audio[:, :-1]], axis=1)).astype(np.float32)
    write_arrays(root / "golden/input.npz", {"input": audio})
    write_arrays(root / "golden/held.npz", {"controls": np.zeros((1, 1, 1), np.float32), "output": expected})
    write_arrays(root / "rest_state.npz", {"last": np.zeros(1, np.float32)})
    (root / "model.onnx").write_bytes(gain_graph().SerializeToString())
    (root / "MODEL_CARD.md").write_text("# Card\n")
    manifest = Manifest(
        architecture="Gain",
        sample_rate=44100,
        controls=(Control("drive", 0, 10, 5, "dB"),),
        receptive_field=2,
        latency_samples=0,
        hop_samples=1,
        settle_samples=1,
        state=(StateTensor("last", (1,), "float32"),),
        targets={"onnx": "model.onnx"},
        golden=(GoldenCase("held_64", "golden/held.npz", 64, 300, 1),),
        files=file_hashes(root),
        metrics={"val_esr": 0.01, "val_mrstft": None},
        parity=({"target": "onnx", "case": "held_64", "max_abs_error": 0.0, "tolerance": 1e-5},),
        cost={},
        provenance={"versions": {"tapezoo": "0"}},
    )
    return seal(root, manifest)


def edit_manifest(root: Path, **changes) -> None:
    """A forger's edit: the manifest is changed and sealed anew, so only its own checks can object."""
    document = json.loads((root / "manifest.json").read_text())
    document.update(changes)
    (root / "manifest.json").write_text(json.dumps(document))
    reseal(root)


def reseal(root: Path) -> None:
    """SHA256SUMS as sha256sum(1) writes it, of whatever is there."""
    names = sorted(
        p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file() and p.name != "SHA256SUMS"
    )
    lines = [f"{hashlib.sha256((root / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (root / "SHA256SUMS").write_text("".join(lines))


def forge(root: Path, file: str, content: bytes) -> None:
    """Another file in place of one of the bundle's, with hashes that fit."""
    (root / file).write_bytes(content)
    document = json.loads((root / "manifest.json").read_text())
    edit_manifest(root, files={**document["files"], file: hashlib.sha256(content).hexdigest()})
