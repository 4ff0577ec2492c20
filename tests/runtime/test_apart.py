"""A stranger's bundle is verified in a process of its own, and whatever becomes of that, this one says what it was."""

import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from bundle.small_bundle import edit_manifest, forge, gain_graph, make_bundle
from onnx import TensorProto, helper, numpy_helper

from tapezoo.bundle import BundleError, read_manifest
from tapezoo.cli import main
from tapezoo.runtime import Apart, apart, verify
from tapezoo.runtime.apart import Limits, limits_of

V1 = Path(__file__).parents[1] / "fixtures" / "gru_v1"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    make_bundle(tmp_path / "bundle")
    return tmp_path / "bundle"


def with_nodes(bundle: Path, *nodes) -> Path:
    model = gain_graph()
    model.graph.node.extend(nodes)
    forge(bundle, "model.onnx", model.SerializeToString())
    return bundle


def constant(name, value):
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.array(value), name))


def heard_size():
    """3 GiB, which nobody can know who does not run the graph: the size is heard in the signal."""
    return (
        helper.make_node("ReduceMax", ["input"], ["peak"], keepdims=0),
        constant("nothing", np.float32([0])),
        constant("much", np.float32([3.0 * 2**28])),
        helper.make_node("Mul", ["peak", "nothing"], ["silent"]),
        helper.make_node("Add", ["silent", "much"], ["size_float"]),
        helper.make_node("Cast", ["size_float"], ["size"], to=TensorProto.INT64),
        helper.make_node("Expand", ["gain", "size"], ["large"]),
    )


def heard_rounds():
    """A loop that goes on as long as the state of the one-pole filter is a number."""
    port = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("ReduceMax", ["input"], ["peak"], keepdims=0),
            constant("high", np.float32(1e9)),
            helper.make_node("Less", ["peak", "high"], ["go_on"]),
            helper.make_node("Identity", ["kept"], ["kept_on"]),
        ],
        "body",
        [
            port("round", TensorProto.INT64, []),
            port("before", TensorProto.BOOL, []),
            port("kept", TensorProto.FLOAT, [1]),
        ],
        [port("go_on", TensorProto.BOOL, []), port("kept_on", TensorProto.FLOAT, [1])],
    )
    return constant("go", True), helper.make_node("Loop", ["", "go", "gain"], ["after"], body=body)


def test_it_finds_what_verifying_here_finds(bundle):
    assert verify(bundle, Apart()) == verify(bundle)


def test_its_faults_are_those_that_are_raised_here(bundle):
    with pytest.raises(BundleError, match=r"content|another line|sha256|that export did not write") as here:
        verify(bundle, seal_sha256="0" * 64)
    with pytest.raises(BundleError, match=r"content|another line|sha256|that export did not write") as there:
        verify(bundle, Apart(), seal_sha256="0" * 64)
    assert str(there.value) == str(here.value)
    assert there.value.file == "SHA256SUMS"
    model = gain_graph()
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.float32([0.6]), "gain"))
    forge(bundle, "model.onnx", model.SerializeToString())
    with pytest.raises(BundleError, match=r"model\.onnx.*held_64"):
        verify(bundle, Apart())


def test_memory_that_shows_only_while_it_plays_is_bounded(bundle):
    with pytest.raises(BundleError, match=r"model\.onnx.*more memory.*60 s.*2048 MiB") as caught:
        verify(with_nodes(bundle, *heard_size()), Apart())
    assert caught.value.file == "model.onnx"


def test_time_that_shows_only_while_it_plays_is_bounded(bundle, monkeypatch, capsys):
    monkeypatch.setattr(apart, "SECONDS", 2)
    monkeypatch.setattr(Limits, "patience_s", 120)  # of the clock, which a busy machine uses up first
    monkeypatch.chdir(bundle.parent)
    assert main(["verify", str(with_nodes(bundle, *heard_rounds()).name)]) == 2
    said = capsys.readouterr().err
    assert "bundle/model.onnx: found more time than that" in said
    assert "at most 2 s of processor time" in said


def test_a_process_that_does_not_end_is_ended(bundle, monkeypatch):
    monkeypatch.setattr(Limits, "patience_s", 0.01)
    with pytest.raises(BundleError, match="no result in time"):
        verify(bundle, Apart())


def test_nothing_is_imported_from_the_working_folder(bundle, monkeypatch, tmp_path):
    shutil.copytree(V1, tmp_path / "v1")  # its TorchScript needs another library
    for name in ("json", "numpy", "own_openers"):
        (tmp_path / f"{name}.py").write_text("import pathlib; pathlib.Path('touched').touch()")
    monkeypatch.chdir(tmp_path)
    assert verify(bundle, Apart()).targets[0].status == "ok"
    with pytest.raises(BundleError, match="own_openers"):
        verify("v1", Apart("own_openers:openers"))
    assert not Path("touched").exists()


def test_what_no_runtime_here_plays_is_asked_of_the_caller(tmp_path, monkeypatch):
    (tmp_path / "others.py").write_text(
        "from tapezoo.runtime import installed_openers\n"
        "def openers():\n"
        "    return {**installed_openers(), 'torchscript': lambda path, names: 1 / 0}\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    assert [part.status for part in verify(V1, Apart()).parts] == ["ok", "not replayed"]
    with pytest.raises(Exception, match=r"model\.ts.*ZeroDivisionError"):
        verify(V1, Apart("others:openers"))


def test_limits_grow_with_what_a_bundle_holds(bundle):
    small = limits_of(bundle)
    assert 60 <= small.seconds <= 61
    edit_manifest(bundle, golden=[{**case, "samples": 1 << 20} for case in golden(bundle)])
    forge(bundle, "model.onnx", bytes(1 << 24))
    large = limits_of(bundle)
    assert large.seconds - small.seconds == pytest.approx(105 + 16 + 2, abs=2)
    assert large.memory_bytes - small.memory_bytes == pytest.approx(6 << 24, rel=0.01)


def golden(bundle):
    return [vars(case) for case in read_manifest(bundle).golden]


@pytest.mark.parametrize(
    ("code", "complaint", "words"),
    [
        (-signal.SIGSEGV, "", "a crash .SIGSEGV."),
        (-signal.SIGXCPU, "", "more time than that"),
        (-signal.SIGKILL, "", "runs out of memory"),
        (1, "a\nSomeError: why\n", "code 1 .SomeError: why."),
        (None, "", "no result in time"),
    ],
)
def test_every_end_has_a_name(bundle, monkeypatch, code, complaint, words):
    def ended(command, answers, complaints, patience_s):
        complaints.write(complaint.encode())
        answers.write(b'{"at": "model.onnx"}\n{"verification": {"manifest": 7}}\nnonsense')
        return code

    monkeypatch.setattr(apart, "_run", ended)
    with pytest.raises(BundleError, match=words) as caught:
        verify(bundle, Apart())
    assert caught.value.file == "model.onnx"


def test_golden_work_beyond_measure_is_refused_before_any_process(bundle):
    [case] = golden(bundle)
    edit_manifest(bundle, golden=[{**case, "name": f"c{n}", "samples": 60_000_000} for n in range(1000)])
    with pytest.raises(BundleError, match="golden samples altogether"):
        verify(bundle, Apart())
