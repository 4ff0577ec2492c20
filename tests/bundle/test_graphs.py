"""Graphs from strangers are looked at before any runtime opens them, by verify and by Stream."""

import io
import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from bundle.small_bundle import edit_manifest, forge, gain_graph
from onnx import TensorProto, helper, numpy_helper

from tapezoo.bundle import BundleError, read_manifest, verify_bundle
from tapezoo.bundle.onnx_file import read_onnx
from tapezoo.export.targets.torchscript import TorchScriptTarget
from tapezoo.runtime import Stream, verify

V1 = Path(__file__).parents[1] / "fixtures" / "gru_v1"


def refused(bundle: Path, words: str, file: str = "model.onnx") -> None:
    for play in (verify, Stream):
        with pytest.raises(BundleError, match=words) as caught:
            play(bundle)
        assert caught.value.file == file


def forged(bundle: Path, model: onnx.ModelProto) -> Path:
    forge(bundle, "model.onnx", model.SerializeToString())
    return bundle


def test_what_is_read_is_what_onnx_reads():
    model = onnx.load(V1 / "model.onnx")
    facts = read_onnx((V1 / "model.onnx").read_bytes())
    for ports, values in ((facts.inputs, model.graph.input), (facts.outputs, model.graph.output)):
        assert [port.name for port in ports] == [value.name for value in values]
        for port, value in zip(ports, values, strict=True):
            shape = value.type.tensor_type.shape.dim
            assert port.shape == tuple(
                size.dim_value if size.HasField("dim_value") else None for size in shape
            )
            assert port.dtype == helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name
    assert facts.metadata == {entry.key: entry.value for entry in model.metadata_props}
    assert facts.domains == {node.domain for node in model.graph.node}
    assert (facts.external, facts.non_finite, facts.functions) == ([], [], [])


# --- weights ---


def with_gain(tensor: TensorProto) -> onnx.ModelProto:
    model = gain_graph()
    next(weight for weight in model.graph.initializer if weight.name == "gain").CopyFrom(tensor)
    return model


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_weights_that_are_no_numbers_are_refused(bundle, value, dtype):
    model = with_gain(numpy_helper.from_array(np.array([value], dtype), "gain"))
    refused(forged(bundle, model), "NaN or infinite values in 'gain'")


@pytest.mark.parametrize(
    "kind", [TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16]
)
def test_also_where_they_are_not_stored_as_raw_bytes(bundle, kind):
    tensor = helper.make_tensor("gain", kind, [2], [1.0, float("nan")])
    assert not tensor.HasField("raw_data")
    refused(forged(bundle, with_gain(tensor)), "gain")
    clean = helper.make_tensor("gain", kind, [2], [1.0, -2.0])
    assert read_onnx(with_gain(clean).SerializeToString()).non_finite == []


def test_also_in_constants_and_in_the_bodies_of_loops(bundle):
    bad = numpy_helper.from_array(np.array([np.nan], np.float32), "hidden")
    constant = helper.make_node("Constant", [], ["nobody"], value=bad)
    model = gain_graph()
    model.graph.node.append(constant)
    refused(forged(bundle, model), "hidden")
    model = gain_graph()
    body = helper.make_graph([constant], "body", [], [helper.make_tensor_value_info("nobody", 1, [1])])
    yes = helper.make_node(
        "Constant", [], ["yes"], value=helper.make_tensor("yes", TensorProto.BOOL, [], [True])
    )
    model.graph.node.extend([yes, helper.make_node("If", ["yes"], ["x"], then_branch=body, else_branch=body)])
    refused(forged(bundle, model), "hidden")
    model = gain_graph()
    model.graph.node.append(helper.make_node("Constant", [], ["nobody"], value_float=float("nan")))
    refused(forged(bundle, model), "attribute")


@pytest.mark.parametrize("location", ["secret.bin", "../secret.bin", "/etc/passwd", "model.onnx"])
def test_weights_in_other_files_are_refused(bundle, location):
    tensor = TensorProto(name="gain", data_type=1, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    (bundle.parent / "secret.bin").write_bytes(bytes(4))
    refused(forged(bundle, with_gain(tensor)), "weights stored in another file .'gain'")


# --- operators ---


def test_operators_of_other_libraries_are_refused(bundle):
    model = gain_graph()
    model.graph.node[3].domain = "evil.ops"
    model.opset_import.append(helper.make_opsetid("evil.ops", 1))
    refused(forged(bundle, model), r"domain 'evil\.ops'")


def test_functions_of_the_file_itself_are_refused(bundle):
    model = gain_graph()
    opset = [helper.make_opsetid("", 17)]
    node = helper.make_node("Identity", ["x"], ["y"])
    model.functions.append(helper.make_function("", "Mul2", ["x"], ["y"], [node], opset))
    refused(forged(bundle, model), "Mul2")


# --- the manifest against the graph ---


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sample_rate": 48000}, "sample_rate '44100'; expected '48000'"),
        ({"architecture": "LSTM"}, "architecture 'Gain'"),
        ({"controls": []}, r"controls float32 \(any, 1\); expected controls float32 \(any, 0\)"),
        ({"state": []}, "the inputs input, controls, state_last; expected input, controls,"),
        ({"state": [{"name": "last", "shape": [2], "dtype": "float32"}]}, r"state_last float32 \(any, 1\)"),
        ({"state": [{"name": "last", "shape": [1, 1], "dtype": "float32"}]}, "state_last"),
        ({"state": [{"name": "last", "shape": [1], "dtype": "float64"}]}, "expected state_last float64"),
        (
            {"state": [{"name": "first", "shape": [1], "dtype": "float32"}]},
            "state_last; expected .*state_first",
        ),
    ],
    ids=str,
)
def test_a_manifest_that_contradicts_the_graph_is_refused(bundle, changes, words):
    edit_manifest(bundle, **changes)
    refused(bundle, words)


def test_a_graph_for_one_block_length_is_refused(bundle):
    model = gain_graph()
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 64
    refused(forged(bundle, model), r"input float32 \(any, 1, 64\)")


def test_outputs_in_another_order_are_refused(bundle):
    model = gain_graph()
    swapped = list(model.graph.output)[::-1]
    del model.graph.output[:]
    model.graph.output.extend(swapped)
    refused(forged(bundle, model), "the outputs next_last, output")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"a graph",
        pickle.dumps(print),
        gain_graph().SerializeToString() * 2,  # protobuf would merge the two
        gain_graph().SerializeToString()[:-3],
        b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x0b\x0c",
        b"\xff" * 100,
    ],
    ids=["empty", "text", "pickle", "two graphs", "cut off", "claims much", "groups", "no end"],
)
def test_what_is_no_graph_is_refused(bundle, data):
    forge(bundle, "model.onnx", data)
    refused(bundle, "no readable ONNX graph")


# --- TorchScript ---


@pytest.fixture
def scripted(tmp_path):
    """A bundle with a model.ts to forge."""
    shutil.copytree(V1, tmp_path / "v1")
    return tmp_path / "v1"


class Caller:
    """Runs a command when it is unpickled."""

    def __init__(self, touched: Path) -> None:
        self.touched = touched

    def __reduce__(self):
        return (Path.touch, (self.touched,))


@pytest.mark.parametrize(
    "write", [lambda bad, path: torch.save(bad, path), lambda bad, path: path.write_bytes(pickle.dumps(bad))]
)
def test_torchscript_that_is_a_pickle_is_refused_unread(scripted, tmp_path, write):
    write(Caller(tmp_path / "touched"), tmp_path / "bad.ts")
    forge(scripted, "model.ts", (tmp_path / "bad.ts").read_bytes())
    refused(scripted, "pickle", "model.ts")
    assert not (tmp_path / "touched").exists()


class Saves(torch.nn.Module):
    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        torch.save(input, self.path)
        return input


class Reads(torch.nn.Module):
    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return torch.from_file("/etc/passwd", False, 2)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript_that_writes_or_reads_files_is_refused(scripted, tmp_path):
    torch.jit.script(Saves(str(tmp_path / "touched"))).save(tmp_path / "bad.ts")
    torch.jit.load(tmp_path / "bad.ts")(torch.zeros(1))
    assert (tmp_path / "touched").exists()  # torch itself lets it
    forge(scripted, "model.ts", (tmp_path / "bad.ts").read_bytes())
    refused(scripted, "could read or write files .'save'", "model.ts")
    torch.jit.script(Reads()).save(tmp_path / "bad.ts")
    forge(scripted, "model.ts", (tmp_path / "bad.ts").read_bytes())
    refused(scripted, "from_file", "model.ts")


def rewritten(path: Path, change) -> bytes:
    """The archive with every (name, data) changed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            for other, data in change(name, old.read(name)):
                new.writestr(other, data)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda name, data: [(name, data), (f"../{name}", b"")], "member name"),
        (lambda name, data: [(name.replace("/", "\\"), data)], "member name"),
        (lambda name, data: [(name, data), (name.upper(), data)], "repeated"),
        (lambda name, data: [(name, data), ("other/" + name, data)], "without TorchScript's parts"),
        (
            lambda name, data: [(name, data), ("model/model.json", b"{}")][: 1 + name.endswith("version")],
            "first format",
        ),
        (
            lambda name, data: [(name, data.replace(b"torch.cat", b'getattr(torch, "\\x73ave")'))],
            "could read or write",
        ),
    ],
)
def test_torchscript_archives_that_torch_does_not_write_are_refused(scripted, change, words):
    forge(scripted, "model.ts", rewritten(scripted / "model.ts", change))
    refused(scripted, words, "model.ts")


def test_torchscript_as_it_was_written_still_plays(scripted):
    """So that the refusals above are about what was changed."""
    forge(scripted, "model.ts", rewritten(scripted / "model.ts", lambda name, data: [(name, data)]))
    report = verify_bundle(scripted, {"torchscript": TorchScriptTarget().open})
    assert [target.status for target in report.targets] == ["not replayed", "ok"]
    assert read_manifest(scripted).targets["torchscript"] == "model.ts"
