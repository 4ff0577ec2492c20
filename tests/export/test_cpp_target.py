"""The net as C++: its sound through this machine's compiler, what hosts do to it, and nothing compiled unasked."""

import re
import shutil
import subprocess
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pytest
import torch
from bundle.small_bundle import forge
from export.cpp_nets import NETS, TAPED, follows, step_of, write_header_of
from export.nets import HopNet, arguments, lstm, perturbed

from tapezoo.bundle import BundleError, read_manifest
from tapezoo.cli import main
from tapezoo.controls import Control
from tapezoo.cpp import write_beside_grid
from tapezoo.cpp.text import double_text, float_text, quoted, runs
from tapezoo.export import ExportError, export_bundle, openers
from tapezoo.export.targets.cpp import CppTarget
from tapezoo.export.targets.onnx import OnnxTarget
from tapezoo.models.fir import FIRNet
from tapezoo.models.lstm import LSTMNet
from tapezoo.runtime import compiling_openers, installed_openers, verify
from tapezoo.runtime.cpp import compiler as compilers
from tapezoo.runtime.cpp import library, open_cpp, open_library

needs_compiler = pytest.mark.skipif(not compilers.compilers(), reason="no C++ compiler")
CHEAP = ("-O1",)


@needs_compiler
@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow) for name in NETS])
@pytest.mark.parametrize("options", [("-O2",), ("-O3", "-march=native"), ("-O2", "-DTAPEZOO_PLAIN")])
def test_cpp_is_the_net_from_any_state_in_any_blocks_with_controls_on_their_way(name, options, tmp_path):
    net = NETS[name]()
    assert CppTarget().refusal(net) is None
    follows(step_of(net, tmp_path / "model.hpp", options), net)


@needs_compiler
def test_weights_that_follow_the_controls_follow_them_as_cpp(tmp_path):
    net = NETS["lstm, hyper, small"]()
    assert CppTarget().refusal(net) is None
    follows(step_of(net, tmp_path / "model.hpp", CHEAP), net)


@needs_compiler
def test_two_models_in_one_process_have_their_own_weights(tmp_path):
    nets = [perturbed(LSTMNet(1, 4, 1, 3, 50.0), seed=seed).eval() for seed in (0, 1)]
    steps = [step_of(net, tmp_path / f"{index}.hpp", CHEAP) for index, net in enumerate(nets)]
    for step, net in zip(steps, nets, strict=True):
        follows(step, net)


@needs_compiler
def test_two_libraries_with_the_same_names_in_them_have_their_own_weights(tmp_path):
    """As of one header built twice, or of somebody who wrote over what makes names different."""
    nets = [perturbed(LSTMNet(0, 4, 1, 3, 50.0), seed=seed).eval() for seed in (2, 3)]
    steps, first = [], None
    for index, net in enumerate(nets):
        path = tmp_path / f"{index}.hpp"
        write_header_of(net, path)
        [own] = set(re.findall(r"of_([0-9a-f]{16})\b", path.read_text()))
        first = first or own
        path.write_text(path.read_text().replace(own, first))
        steps.append(open_cpp(path, list(net.initial_state(torch.zeros(1, 0))), CHEAP))
    for step, net in zip(steps, nets, strict=True):
        follows(step, net)


@needs_compiler
def test_a_state_that_is_none_is_refused_and_changes_nothing(tmp_path):
    net = perturbed(LSTMNet(1, 4, 1, 3, 50.0), seed=0).eval()
    path = tmp_path / "model.hpp"
    write_header_of(net, path)
    channel = open_library(path, CHEAP).make()
    before = channel.save()
    for bad in (before[1:], np.append(before, 0.0), before[None]):
        with pytest.raises(ValueError, match="a state of"):
            channel.restore(bad)
    for value in (np.nan, np.inf, -1e300):
        bad = before.copy()
        bad[-1] = value
        with pytest.raises(ValueError, match="finite"):
            channel.restore(bad)
    np.testing.assert_array_equal(channel.save(), before)


@needs_compiler
def test_what_leaves_all_bounds_is_told_and_is_at_rest_again(tmp_path):
    net = FIRNet(0, 4)
    with torch.no_grad():
        for weight in net.parameters():
            weight.fill_(2.0)
    write_header_of(net, tmp_path / "model.hpp")
    channel = open_library(tmp_path / "model.hpp", CHEAP).make()
    rest = channel.save()
    channel.restore(np.full_like(rest, 3e38))  # each in a float's range, their sum is not
    silence, output = np.zeros(100, np.float32), np.ones(100, np.float32)
    assert not channel.play(silence, np.zeros(0, np.float32), output)
    assert not output.any()
    np.testing.assert_array_equal(channel.save(), rest)
    assert channel.play(silence, np.zeros(0, np.float32), output)


@needs_compiler
def test_knobs_that_are_too_few_do_not_compile(bundle, tmp_path):
    source = tmp_path / "plugin.cpp"
    options = ("-fsyntax-only",)
    for count, right in ((2, True), (1, False)):
        source.write_text(
            f'#include "{bundle / "cpp" / "model.hpp"}"\n'
            f"int main() {{ static tapezoo_model::Model model; float knobs[{count}] = {{}}, x[1] = {{}};\n"
            "model.settle(knobs); model.process(x, x, 1, knobs); model.process(x, x, 1); }\n"
        )
        if right:
            compilers.find_compiler().compile(source, tmp_path / "plugin", options)
        else:
            with pytest.raises(compilers.CompilerError, match="as many positions as the net has controls"):
                compilers.find_compiler().compile(source, tmp_path / "plugin", options)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A bundle with C++, compiled cheaply, and its net."""
    if not compilers.compilers():
        pytest.skip("no C++ compiler")
    path = tmp_path_factory.mktemp("cpp") / "bundle"
    net = lstm(2, taps=40)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tapezoo.export.targets.cpp.PLAIN", CHEAP)
        patch.setattr(library.open_cpp, "__defaults__", (CHEAP,))
        export_bundle(net, **arguments(net, path), targets=[OnnxTarget(), CppTarget()])
    return path


def test_the_gate_held_it_to_the_tolerance(bundle):
    manifest = read_manifest(bundle)
    rows = [row for row in manifest.parity if row["target"] == "cpp"]
    assert len(rows) == len(manifest.golden) > 5
    assert all(row["max_abs_error"] <= row["tolerance"] for row in rows)
    assert {file.name for file in (bundle / "cpp").iterdir()} == {
        "model.hpp", "model_test.cpp", "golden.bin", "CMakeLists.txt", "README.md",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("controls", "said"),
    [
        ((), "const float* knobs = nullptr; "),
        (
            (Control("gain", -10.0, 10.0, 0.0), Control("hf", 100.0, 10000.0, 1000.0, curve="log")),
            "= {0.5f, 0.5f}; ",
        ),
        ((Control("bias", 0.0, 1.0, 1.0), Control("gap", 0.0, 1.0, 1 / 3)), "= {1.0f, 0.333333f}; "),
    ],
)
def test_the_readme_declares_the_models_controls_at_their_defaults(controls, said, tmp_path):
    write_beside_grid(tmp_path, [], controls)
    assert said in (tmp_path / "README.md").read_text()


def test_its_own_test_passes_and_fails_where_a_sample_is_wrong(bundle, tmp_path):
    compilers.find_compiler().compile(bundle / "cpp" / "model_test.cpp", tmp_path / "model_test", CHEAP)
    golden = tmp_path / "golden.bin"
    shutil.copy(bundle / "cpp" / "golden.bin", golden)
    run = [str(tmp_path / "model_test"), str(golden)]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "all right"), done.stdout
    samples = np.fromfile(golden, np.float32)
    samples[-1] += 0.01
    samples.tofile(golden)
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode
    assert "a golden case is over its tolerance" in done.stdout


SANITIZED = (
    "-O1",
    "-g",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-fno-exceptions",
    "-fno-rtti",
)
STRICT = ("-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-ffast-math")
EXPORTED = (
    "lstm, film",
    "wavenet, odd, gated, two knobs",
    "tcn, temporal film",
    "stn table",
    "gru behind a long filter",
    "s4d, seven modes",
    "grey box, level, two knobs",
    "lstm, one knob, taped",
    "fir, noise",
)


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("name", EXPORTED)
def test_its_own_test_finds_nothing_under_sanitizers_and_without_exceptions(name, tmp_path):
    net, out = {**NETS, **TAPED}[name](), tmp_path / "bundle"
    controls = [Control(f"knob {number}") for number in range(net.num_controls)]
    targets = [OnnxTarget(), CppTarget()]
    export_bundle(net, **{**arguments(net, out), "controls": controls}, targets=targets)
    for options in (SANITIZED, STRICT, ("-O2", "-DTAPEZOO_PLAIN"), ("-O2", "-DTAPEZOO_LANES=16")):
        program = tmp_path / "model_test"
        compilers.find_compiler().compile(out / "cpp" / "model_test.cpp", program, options)
        run = [str(program), str(out / "cpp" / "golden.bin"), str(out / "cpp" / "loops.bin")]
        done = subprocess.run(run, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (options, done.stdout, done.stderr)


def test_nobody_compiles_a_bundle_unasked(bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(library.open_cpp, "__defaults__", (CHEAP,))
    mine, mark = tmp_path / "bundle", tmp_path / "mark"
    shutil.copytree(bundle, mine)
    text = (mine / "cpp" / "model.hpp").read_text()
    evil = f'#include <cstdio>\nstatic int evil = std::fclose(std::fopen("{mark}", "w"));\n'
    forge(mine, "cpp/model.hpp", (text + evil).encode())
    for unasked in (None, installed_openers(), openers()):
        statuses = {target.target: target.status for target in verify(mine, unasked).targets}
        assert statuses["cpp"] == "not replayed"
    assert not mark.exists()
    assert [target.status for target in verify(mine, compiling_openers()).targets] == ["not replayed", "ok"]
    assert mark.exists()  # the test sees what it looks for


def test_asked_verify_finds_a_changed_weight(bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(library.open_cpp, "__defaults__", (CHEAP,))
    mine = tmp_path / "bundle"
    shutil.copytree(bundle, mine)
    text = (mine / "cpp" / "model.hpp").read_text()
    begin = text.index("bias[1] = {") + len("bias[1] = {")
    forge(mine, "cpp/model.hpp", (text[:begin] + "0.01f + " + text[begin:]).encode())
    with pytest.raises(BundleError, match=r"cpp/model\.hpp"):
        verify(mine, compiling_openers())


def test_the_verb_compiles_where_it_is_told_to(bundle, monkeypatch, capsys):
    monkeypatch.setattr(library.open_cpp, "__defaults__", (CHEAP,))
    monkeypatch.setattr(  # in this process
        "tapezoo.runtime.verification.verify_apart",
        lambda folder, names, seal: verify(folder, resolve_name(names)(), seal),
    )
    assert main(["verify", str(bundle)]) == 0
    assert "not replayed: it is source code; --compile" in capsys.readouterr().out
    assert main(["verify", str(bundle), "--compile"]) == 0
    assert "cpp/model.hpp ok" in " ".join(capsys.readouterr().out.split())


def test_what_has_no_cpp_is_refused_before_anything_is_written(tmp_path):
    net = HopNet()
    with pytest.raises(ExportError, match="HopNet") as caught:
        export_bundle(net, **arguments(net, tmp_path / "bundle"), targets=[OnnxTarget(), CppTarget()])
    assert "onnx" in caught.value.fix
    assert not (tmp_path / "bundle").exists()


def test_without_a_compiler_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(compilers, "compilers", list)
    found, fix = CppTarget().refusal(lstm())
    assert "no C++ compiler" in found
    assert "tapezoo[cpp]" in fix


def test_cxx_names_the_compiler_and_one_that_fails_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", "false --always")
    compiler = compilers.find_compiler()
    assert compiler.command == ("false", "--always")
    with pytest.raises(compilers.CompilerError, match="code 1"):
        compiler.compile(Path("a.cpp"), tmp_path / "a", ())


def test_numbers_are_written_exactly():
    values = np.random.default_rng(0).standard_normal(1000).astype(np.float32) * np.float32(1e-3)
    for value in (*values, np.float32(1e-42), np.float32(3e38), np.float32(-0.0), np.float32(16777216)):
        assert np.float32(float_text(value).removesuffix("f")).tobytes() == value.tobytes()
        assert "." in float_text(value) or "e" in float_text(value)
    assert float(double_text(0.1)) == 0.1
    assert runs(np.array([1.0, 1.0, 2.0])).split() == ["{", "{2,", "1.0},", "{1,", "2.0}}"]
    assert quoted('é"\\') == '"\\303\\251\\042\\134"'
