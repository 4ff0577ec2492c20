"""A tape behind a net as C++: it plays as the net, its loops are a file that the host hands in; `Stream` plays it."""

import shutil
import subprocess

import numpy as np
import pytest
from bundle.small_bundle import forge
from export.cpp_nets import TAPED, controls_of, program_of_readme, write_header_of
from export.nets import arguments, programme

from tapezoo.bundle import BundleError, read_manifest
from tapezoo.export import export_bundle
from tapezoo.export.rounding import net_step
from tapezoo.export.targets.cpp import CppTarget
from tapezoo.export.targets.kernel import KernelTarget
from tapezoo.export.targets.onnx import OnnxTarget
from tapezoo.runtime import EngineError, Stream, compiling_openers, verify
from tapezoo.runtime.cpp import cache, library, open_cpp
from tapezoo.runtime.cpp import compiler as compilers
from tapezoo.runtime.cpp.engine import CompiledEngine, compiled_maker

pytestmark = pytest.mark.skipif(not compilers.compilers(), reason="no C++ compiler")
CHEAP = ("-O1",)
WHOLE = "lstm, one knob, taped"


@pytest.fixture(autouse=True)
def _cheaply(monkeypatch, tmp_path_factory):
    """Compiles without optimizing, into a folder of these tests."""
    monkeypatch.setenv("TAPEZOO_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setattr(cache.built_library, "__defaults__", (CHEAP,))
    monkeypatch.setattr(library.open_cpp, "__defaults__", (CHEAP,))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """Of a net with a knob of its own, with all three targets."""
    path, net = tmp_path_factory.mktemp("cpp_tape") / "bundle", TAPED[WHOLE]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tapezoo.export.targets.cpp.PLAIN", CHEAP)
        patch.setattr(library.open_cpp, "__defaults__", (CHEAP,))
        targets = [OnnxTarget(), KernelTarget(), CppTarget()]
        export_bundle(net, **{**arguments(net, path), "controls": controls_of(net)}, targets=targets)
    return path


def plays_as(step, net, lengths):
    """Rows, states and places of `step` are those of the net, with all controls on their way."""
    mine = {name: value.numpy() for name, value in net.rest_state(3).items()}
    theirs, random, reference = dict(mine), np.random.default_rng(0), net_step(net)
    for length in lengths:
        audio = (0.3 * random.standard_normal((3, 1, length))).astype(np.float32)
        controls = random.random((3, net.num_controls), dtype=np.float32)
        output, mine = step(audio, controls, mine)
        wanted, theirs = reference(audio, controls, theirs)
        np.testing.assert_allclose(output, wanted, atol=4e-6)
        assert mine.keys() == theirs.keys()
        for name in mine:
            assert mine[name].dtype == theirs[name].dtype
            np.testing.assert_allclose(mine[name], theirs[name], atol=4e-6)


def test_it_is_the_net_in_any_blocks_over_the_end_of_all_loops(bundle):
    names = [tensor.name for tensor in read_manifest(bundle).state]
    plays_as(open_cpp(bundle / "cpp" / "model.hpp", names), TAPED[WHOLE](), (1, 5, 700, 64, 18000, 2))


@pytest.mark.slow
@pytest.mark.parametrize("name", TAPED)
@pytest.mark.parametrize("options", [("-O2",), ("-O3", "-march=native"), ("-O2", "-DTAPEZOO_PLAIN")])
def test_every_net_with_every_part_is_played_by_every_build(name, options, tmp_path):
    net = TAPED[name]()
    assert CppTarget().refusal(net) is None
    names = write_header_of(net, tmp_path / "model.hpp")
    plays_as(open_cpp(tmp_path / "model.hpp", names, options), net, (1, 5, 700, 64, 18000, 2))


def test_off_it_is_the_nonlinearity_to_the_bit(tmp_path):
    net = TAPED["lstm, one knob, taped"]()
    audio = (0.3 * np.random.default_rng(0).standard_normal((1, 1, 900))).astype(np.float32)
    played = []
    for one, folder in ((net, tmp_path / "taped"), (net.net, tmp_path / "alone")):
        folder.mkdir()
        names = write_header_of(one, folder / "model.hpp")
        state = {name: value.numpy() for name, value in one.rest_state(1).items()}
        step = open_cpp(folder / "model.hpp", names)
        output, _ = step(audio, np.zeros((1, one.num_controls), np.float32), state)
        played.append(output[0, 0])
    off, alone = played
    late = net.latency_samples
    np.testing.assert_array_equal(off[late:], alone[:-late])


def test_the_gate_held_it_to_the_net_and_its_loops_are_a_file(bundle):
    manifest = read_manifest(bundle)
    rows = [row for row in manifest.parity if row["target"] == "cpp"]
    assert len(rows) == len(manifest.golden)
    assert "cpp/loops.bin" in manifest.files
    assert (bundle / "cpp" / "model.hpp").stat().st_size < 500_000
    assert "loops.fit()" in (bundle / "cpp" / "README.md").read_text()


def test_the_code_of_its_readme_compiles_with_as_many_knobs_as_it_has(bundle, tmp_path):
    folder = shutil.copytree(bundle / "cpp", tmp_path / "cpp")
    compilers.find_compiler().compile(program_of_readme(folder), tmp_path / "readme", ("-O0",))
    assert "hiss, see" in (folder / "README.md").read_text()


def test_its_own_test_passes_with_its_loops_and_fails_with_others(bundle, tmp_path):
    compilers.find_compiler().compile(bundle / "cpp" / "model_test.cpp", tmp_path / "model_test", CHEAP)
    loops = (bundle / "cpp" / "loops.bin").read_bytes()
    other = bytearray(loops)
    other[-28000:] = np.full(7000, 0.1, np.float32).tobytes()
    for number, content in enumerate((loops, bytes(other), bytes(8) + loops[8:])):
        (tmp_path / "loops.bin").write_bytes(content)
        run = [tmp_path / "model_test", bundle / "cpp" / "golden.bin", tmp_path / "loops.bin"]
        done = subprocess.run([str(part) for part in run], capture_output=True, text=True, check=False)
        assert bool(done.returncode) == bool(number), done.stdout


def test_a_model_without_loops_does_not_compile(bundle, tmp_path):
    source = tmp_path / "plugin.cpp"
    for given, right in (("(tapezoo_model::Model::Loops(bytes, 1))", True), ("", False)):
        source.write_text(
            f'#include "{bundle / "cpp" / "model.hpp"}"\n'
            f"static char bytes[1];\nint main() {{ static tapezoo_model::Model model{given}; float x[1] = {{}};\n"
            "model.process(x, x, 1); (void)bytes; }\n"
        )
        options = ("-fsyntax-only",)
        if right:
            compilers.find_compiler().compile(source, tmp_path / "plugin", options)
        else:
            with pytest.raises(compilers.CompilerError, match="no matching function"):
                compilers.find_compiler().compile(source, tmp_path / "plugin", options)


def test_changed_or_missing_loops_are_told(bundle, tmp_path):
    mine = tmp_path / "bundle"
    shutil.copytree(bundle, mine)
    loops = bytearray((mine / "cpp" / "loops.bin").read_bytes())
    loops[-28000:] = bytes(28000)  # no modulation noise
    forge(mine, "cpp/loops.bin", bytes(loops))
    with pytest.raises(BundleError, match=r"cpp/model\.hpp"):
        verify(mine, compiling_openers())
    (mine / "cpp" / "loops.bin").write_bytes(loops[:-4])
    names = [tensor.name for tensor in read_manifest(bundle).state]
    for found in ("bytes", "no file"):
        with pytest.raises(EngineError, match=found):
            open_cpp(mine / "cpp" / "model.hpp", names)
        (mine / "cpp" / "loops.bin").unlink(missing_ok=True)


def test_the_kernel_is_played_as_cpp_as_numba_plays_it(bundle):
    audio = np.stack([programme(6000), 0.5 * programme(6000, seed=1)])
    outputs = []
    for engine in ("kernel_cpp", "kernel_numba"):
        stream = Stream(bundle, engine=engine)
        parts, begin = [], 0
        for number, length in enumerate((64, 64, 1, 700, 333, 64, 2048)):
            decibels = {"hiss": -10.0 * number, "modulation_noise": number}
            told = {"drive": 2.0 * number, "wow": 0.1 * number, **decibels} if number % 2 else {}
            parts.append(stream.process(audio[:, begin : begin + length], told))
            begin += length
        stream.reset()
        parts.append(stream.process(audio[:, :500]))
        outputs.append(np.concatenate(parts, axis=1))
    assert isinstance(Stream(bundle, engine="kernel_cpp")._engine, CompiledEngine)
    np.testing.assert_allclose(outputs[0], outputs[1], atol=4e-6)
    assert not np.allclose(outputs[0][0], 2 * outputs[0][1], atol=1e-3)  # each channel has a noise of its own


def test_places_far_into_a_loop_are_exact(bundle):
    """Single precision counts to 2^24 alone."""
    make, _ = compiled_maker(bundle / "kernel.safetensors")
    net = TAPED[WHOLE]()
    state = {name: value.numpy() for name, value in net.rest_state(1).items()}
    channel = make()
    channel.load({name: value[0] for name, value in {**state, "noise_place": np.array([2**40 + 7])}.items()})
    assert channel.save()["noise_place"] == (2**40 + 7) % 3000
    assert channel.save()["noise_place"].dtype == np.int64
