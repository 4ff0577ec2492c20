"""Kernels as C++ that is compiled here: they sound as in numba, and nothing of a stranger's is compiled."""

import ctypes
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from bundle.small_bundle import forge
from export.cpp_nets import NETS, follows
from export.nets import arguments, knobs, lstm, programme

from tapezoo.export import export_bundle
from tapezoo.export.targets.kernel import KernelTarget
from tapezoo.export.targets.onnx import OnnxTarget
from tapezoo.export.targets.target import graph_of
from tapezoo.runtime import EngineError, SoftLimiter, Stream
from tapezoo.runtime.cpp import cache
from tapezoo.runtime.cpp import compiler as compilers
from tapezoo.runtime.cpp.cache import built_library
from tapezoo.runtime.cpp.engine import CompiledEngine, compiled_maker
from tapezoo.runtime.kernels.engine import KernelEngine
from tapezoo.runtime.kernels.file import read_kernel, write_kernel
from tapezoo.runtime.kernels.step import channel_step

needs_compiler = pytest.mark.skipif(not compilers.compilers(), reason="no C++ compiler")
CHEAP = ("-O1",)


@pytest.fixture(autouse=True)
def _cheaply(monkeypatch, tmp_path_factory):
    """Compiles without optimizing, into a folder of these tests."""
    monkeypatch.setenv("TAPEZOO_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setattr(cache.built_library, "__defaults__", (CHEAP,))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """Of an LSTM with one control."""
    path = tmp_path_factory.mktemp("bundles") / "bundle"
    export_bundle(lstm(1), **arguments(lstm(1), path), targets=[OnnxTarget(), KernelTarget()])
    return path


def kernel_of(net, path):
    """Its kernel.safetensors; returns the names of its state."""
    graph = graph_of(net, {"architecture": "Small", "sample_rate": "44100"}, knobs(net), 4096)
    KernelTarget().write(graph, path)
    return graph.net.state_names


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NETS if KernelTarget().refusal(NETS[name]()) is None])
def test_it_is_the_net_from_any_state_in_any_blocks_with_controls_on_their_way(name, tmp_path):
    net = NETS[name]()
    names = kernel_of(net, tmp_path / "kernel.safetensors")
    make, _ = compiled_maker(tmp_path / "kernel.safetensors")
    follows(channel_step(make(), names), net)


@needs_compiler
@pytest.mark.parametrize("behind", [False, True])
def test_it_plays_what_the_loops_of_numba_play(bundle, behind):
    options = {"mix": 0.4, "dc_blocker_hz": 20.0, "limiter": SoftLimiter(-20, -26)} if behind else {}
    audio = np.stack([programme(6000), 0.5 * programme(6000, seed=1)])
    outputs = []
    for engine in ("kernel_cpp", "kernel_numba"):
        stream = Stream(bundle, engine=engine, **options)
        parts, begin = [stream.process(audio[:, :64], {"drive": 7})], 64
        for length in (64, 64, 1, 700, 333, 1, 64):
            parts.append(stream.process(audio[:, begin : begin + length]))
            begin += length
        for number in range(20):  # a host that tells where knobs are with every block
            knobs_told = {"drive": 2 + 0.2 * number} if number % 2 else [0.1 + 0.03 * number]
            parts.append(stream.process(audio[:, begin : begin + 64], knobs_told))
            begin += 64
        parts.append(stream.process(audio[:, begin : begin + 100].astype(np.float64), {"drive": 2}))
        parts.append(stream.process(audio[:, begin + 100 :]))  # more than one call takes
        outputs.append(np.concatenate(parts, axis=1))
        stream.reset()
        first = stream.process(audio[0, :500])
        stream.reset()
        np.testing.assert_array_equal(stream.process(audio[0, :500]), first)
        outputs[-1] = np.concatenate([outputs[-1][0], outputs[-1][1], first])
    np.testing.assert_allclose(outputs[0], outputs[1], atol=4e-6)
    assert np.abs(outputs[0]).max() > 0.02


@needs_compiler
def test_what_is_no_audio_is_refused_as_by_every_engine_and_leaves_nothing_behind(bundle):
    streams = [Stream(bundle, engine=engine) for engine in ("kernel_cpp", "kernel_numba")]
    fine = programme(64)
    for stream in streams:
        stream.process(fine)
    bad = fine.copy()
    bad[3] = np.nan
    for block in (
        bad,
        bad * 0 + np.inf,
        np.full(64, 20000.0, np.float32),
        fine.astype(int),
        fine[None, None],
    ):
        told = []
        for stream in streams:
            with pytest.raises(ValueError) as caught:
                stream.process(block, [0.9])  # nor do the controls go anywhere
            told.append(str(caught.value))
        assert told[0] == told[1]
    with pytest.raises(ValueError, match="2 channels after 1"):
        streams[0].process(np.zeros((2, 8), np.float32))
    assert streams[0].process(fine[:0]).shape == (0,)
    loud = 150 * (0.5 + np.abs(fine))  # far over full scale, and audio all the same
    for block in (fine, loud, fine):
        np.testing.assert_allclose(streams[0].process(block), streams[1].process(block), rtol=1e-5, atol=4e-6)


@needs_compiler
def test_a_net_that_leaves_the_numbers_is_told_until_reset(tmp_path, bundle):
    mine = tmp_path / "bundle"
    shutil.copytree(bundle, mine)
    file = read_kernel(mine / "kernel.safetensors")
    for name in ("head.bias", "taps"):
        file.arrays[name][:] = 3e38
    write_kernel(file, tmp_path / "kernel.safetensors", {})
    forge(mine, "kernel.safetensors", (tmp_path / "kernel.safetensors").read_bytes())
    stream = Stream(mine, engine="kernel_cpp")
    silence = np.zeros(64, np.float32)
    first = stream.process(silence)
    for block in (silence + 0.5, silence):
        with pytest.raises(EngineError, match="not finite"):
            stream.process(block)
    stream.reset()
    np.testing.assert_array_equal(stream.process(silence), first)


@pytest.fixture
def builds(tmp_path, monkeypatch):
    """Every build, which writes a file instead of compiling; the cache is the folder `cache` here."""
    made = []

    def write(compiler, source, output, options):
        made.append((compiler, options))
        output.write_text(f"{source.with_name('model.hpp').read_text()}")

    monkeypatch.setenv("TAPEZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(compilers.Compiler, "compile", write)
    monkeypatch.setattr(compilers, "compilers", lambda: [compilers.Compiler(("c++",))])
    monkeypatch.setattr(cache, "_version", lambda compiler: "1")
    return made


def test_a_library_is_built_once_for_a_header_compiler_its_options_and_the_processor(builds, monkeypatch):
    path, seconds = built_library("a")
    assert seconds > 0
    assert built_library("a") == (path, 0.0)
    assert path.stat().st_mode & 0o022 == 0
    others = [built_library("b")[0], built_library("a", ("-O2",))[0]]
    monkeypatch.setattr(cache, "_version", lambda compiler: "2")
    others.append(built_library("a")[0])
    monkeypatch.setattr(cache, "_processor", lambda: "another")
    others.append(built_library("a")[0])
    monkeypatch.setattr(compilers, "compilers", lambda: [compilers.Compiler(("clang++",))])
    others.append(built_library("a")[0])
    assert len({path, *others}) == len(builds) == 6


def test_what_others_may_write_to_is_not_trusted(builds, tmp_path):
    path, _ = built_library("a")
    folder = path.parent
    assert folder == tmp_path / "cache" / "cpp"
    path.chmod(0o777)
    assert built_library("a")[1] > 0  # built over it
    assert path.stat().st_mode & 0o022 == 0
    folder.chmod(0o777)
    assert built_library("a")[0].parent != folder
    folder.chmod(0o700)
    assert built_library("a")[0] == path
    shutil.rmtree(folder)
    folder.symlink_to(tmp_path)
    assert built_library("a")[0].parent != folder


def test_the_cache_does_not_grow_for_ever(builds, monkeypatch):
    monkeypatch.setattr(cache, "MOST_LIBRARIES", 3)
    first, _ = built_library("0")
    for number in range(1, 6):
        os.utime(first, (2e9, 2e9))  # used last
        newest, _ = built_library(str(number))
    left = list(first.parent.iterdir())
    assert len(left) == 3
    assert {first, newest} <= set(left)


@needs_compiler
def test_nothing_of_the_bundles_own_cpp_is_compiled(bundle, tmp_path):
    mine, mark = tmp_path / "bundle", tmp_path / "mark"
    shutil.copytree(bundle, mine)
    evil = f'#include <cstdio>\nstatic int evil = std::fclose(std::fopen("{mark}", "w"));\n'
    (mine / "cpp").mkdir()
    for name in ("model.hpp", "library.cpp", "cstring", "cmath"):
        (mine / "cpp" / name).write_text(evil)
        (mine / name).write_text(evil)
    before = Path.cwd()
    os.chdir(mine)
    try:
        Stream(mine, verify=False, engine="kernel_cpp").process(programme(64))
    finally:
        os.chdir(before)
    assert not mark.exists()


def test_without_a_compiler_numba_plays_and_says_so(bundle, monkeypatch):
    monkeypatch.setenv("TAPEZOO_KERNEL", "")
    monkeypatch.setattr(compilers, "compilers", list)
    stream = Stream(bundle, engine="kernel")
    assert isinstance(stream._engine, KernelEngine)
    assert "none: no c++" in stream.preparation
    stream.process(programme(64))
    with pytest.raises(EngineError, match="the C\\+\\+ compiler"):
        Stream(bundle, engine="kernel_cpp")


@needs_compiler
def test_with_a_compiler_the_kernel_is_cpp_unless_the_environment_says_numba(bundle, monkeypatch):
    monkeypatch.setenv("TAPEZOO_KERNEL", "")
    assert isinstance(Stream(bundle, engine="kernel")._engine, CompiledEngine)
    monkeypatch.setenv("TAPEZOO_KERNEL", "numba")
    assert isinstance(Stream(bundle, engine="kernel")._engine, KernelEngine)


@needs_compiler
def test_numbers_that_only_numba_knows_are_left_to_it(tmp_path, monkeypatch):
    """A GRU whose candidate hears the hidden state twice, which no GRU of PyTorch does."""
    path = tmp_path / "kernel.safetensors"
    kernel_of(NETS["gru"](), path)
    file = read_kernel(path)
    units = file.arrays["head.weight"].shape[0]
    file.arrays["layer_0.hidden"][2 * units] = 0.1
    write_kernel(file, path, {})
    with pytest.raises(compilers.CompilerError, match="kernel_numba"):
        compiled_maker(path)


@needs_compiler
def test_a_strangers_file_is_refused_before_anything_is_compiled(bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(compilers.Compiler, "compile", lambda *_: pytest.fail("compiles"))
    path = tmp_path / "kernel.safetensors"
    for change in ({"layers": "3"}, {"layers": "1; }"}, {"num_controls": "0"}, {"kernel": "lstm\n#include"}):
        file = read_kernel(bundle / "kernel.safetensors")
        kernel, settings = change.get("kernel", file.kernel), {**file.settings, **change}
        changed = file.__class__(
            kernel,
            int(change.get("num_controls", file.num_controls)),
            file.smoothing_samples,
            settings,
            file.arrays,
        )
        write_kernel(changed, path, {})
        with pytest.raises(EngineError):
            compiled_maker(path)
    mine = tmp_path / "bundle"
    shutil.copytree(bundle, mine)
    forge(mine, "kernel.safetensors", path.read_bytes()[:-8])
    with pytest.raises(EngineError):
        Stream(mine, engine="kernel_cpp")


def test_the_header_has_the_job_that_python_fills():
    from tapezoo.runtime.cpp.player import _Job

    assert ctypes.sizeof(_Job) == 6 * 8 + 8 + 3 * 4 + 6 * 4 + 4  # the last 4 are padding
