"""What stands behind the net, what happens when it fails, and what hours of playing cost."""

import gc
import resource
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import torch
from export.nets import RATE_HZ, HopNet, arguments, lstm, programme
from torch import nn

from tapezoo.bundle import BundleError, read_manifest
from tapezoo.export import export_bundle
from tapezoo.export.targets.kernel import KernelTarget
from tapezoo.export.targets.onnx import OnnxTarget
from tapezoo.models.wavenet import WaveNetNet
from tapezoo.net import Net
from tapezoo.runtime import (
    EngineError,
    SoftLimiter,
    Stream,
    default_engine,
    engine_for_one_file,
    engines,
    engines_of,
)
from tapezoo.runtime.dc_blocker import DCBlocker


class Late(Net):
    """Ten samples late, with an offset; hop 4."""

    hop_samples = 4
    latency_samples = 10

    def __init__(self):
        super().__init__(0, receptive_field=11)
        self.gain = nn.Parameter(torch.tensor(2.0))
        self.register_rest("past", torch.zeros(1, 10))

    def forward(self, input, controls, state):
        line = torch.cat([state["past"], input], dim=-1)
        return self.gain * line[..., :-10] + 0.25, {"past": line[..., -10:]}


class Fragile(Net):
    """Fine up to full scale; far beyond it there is no number for its output, ever after."""

    def __init__(self):
        super().__init__(0, receptive_field=None)
        self.gain = nn.Parameter(torch.tensor(0.5))
        self.register_rest("last", torch.zeros(1))

    def forward(self, input, controls, state):
        output = self.gain * input * torch.exp(40 * torch.relu(input.abs() - 1)) + 1e-3 * state[
            "last"
        ].unsqueeze(1)
        return output, {"last": 0 * output[..., -1]}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """Name -> bundle."""
    root = tmp_path_factory.mktemp("bundles")
    nets = {"late": Late(), "fragile": Fragile(), "lstm": lstm(1), "hop": HopNet()}
    for name, net in nets.items():
        targets = [OnnxTarget(), KernelTarget()] if name == "lstm" else [OnnxTarget()]
        export_bundle(net, **arguments(net, root / name), targets=targets)
    return {name: root / name for name in nets}


def in_blocks(stream, audio, lengths):
    pieces, start, index = [], 0, 0
    while start < audio.shape[-1]:
        pieces.append(stream.process(audio[..., start : start + lengths[index % len(lengths)]]))
        start, index = start + pieces[-1].shape[-1], index + 1
    return np.concatenate(pieces, axis=-1)


@pytest.mark.parametrize("lengths", [[1], [64], [7, 200, 3], [5000]], ids=str)
def test_the_dc_blocker_is_the_bilinear_high_pass_in_any_blocks(lengths):
    audio = np.stack([programme(3000), 0.5 + programme(3000, seed=1)])
    blocker = DCBlocker(20.0, RATE_HZ)
    blocker.start(2)
    pieces, start, index = [], 0, 0
    while start < 3000:
        pieces.append(blocker.play(audio[:, start : start + lengths[index % len(lengths)]]))
        start, index = start + pieces[-1].shape[1], index + 1
    b, a = scipy.signal.butter(1, 20.0, "highpass", fs=RATE_HZ)
    wanted = scipy.signal.lfilter(b, a, audio.astype(np.float64), axis=1)
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), wanted, atol=2e-7)


def test_a_stream_with_a_dc_blocker_loses_the_nets_offset(bundles):
    silence = np.zeros(RATE_HZ, np.float32)
    assert Stream(bundles["late"]).process(silence)[-1] == pytest.approx(0.25)
    stream = Stream(bundles["late"], dc_blocker_hz=10.0)
    assert abs(in_blocks(stream, silence, [64])[-1]) < 1e-6
    stream.reset()
    again = stream.process(silence)
    np.testing.assert_allclose(again, Stream(bundles["late"], dc_blocker_hz=10.0).process(silence), atol=1e-7)


def test_the_dry_share_is_as_late_as_the_net(bundles):
    audio = programme(2000)
    stream = Stream(bundles["late"], mix=0.25)
    assert stream.latency_samples == 10 + 3
    wanted = 0.25 * (2 * audio + 0.25) + 0.75 * audio
    for lengths in ([1], [5, 64, 2], [2000]):
        stream.reset()
        output = in_blocks(stream, np.stack([audio, -audio]), lengths)
        np.testing.assert_allclose(output[0, 13:], wanted[:-13], atol=1e-6)
        np.testing.assert_allclose(
            output[1, 13:], 0.25 * (0.25 - 2 * audio[:-13]) - 0.75 * audio[:-13], atol=1e-6
        )
    np.testing.assert_allclose(Stream(bundles["late"], mix=0.0).process(audio)[13:], audio[:-13])


def test_the_limiter_leaves_what_is_under_the_knee_and_never_passes_the_ceiling():
    limiter = SoftLimiter(ceiling_db=-1.0, knee_db=-6.0)
    knee, ceiling = 10 ** (-6 / 20), 10 ** (-1 / 20)
    x = np.linspace(-20, 20, 400_001, dtype=np.float32)[np.newaxis]
    y = limiter.play(x)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y[np.abs(x) <= knee], x[np.abs(x) <= knee])
    assert np.abs(y).max() <= ceiling
    assert (np.diff(y[0].astype(np.float64)) >= 0).all(), "louder in is never softer out"
    slope = np.diff(y[0].astype(np.float64)) / np.diff(x[0].astype(np.float64))
    assert np.abs(np.diff(slope)).max() < 5e-3, "neither value nor slope jumps at the knee"
    np.testing.assert_allclose(y, -limiter.play(-x))
    with pytest.raises(ValueError):
        SoftLimiter(ceiling_db=-6.0, knee_db=-6.0)


def test_the_limiter_is_the_last_of_all(bundles):
    loud = 0.9 * np.sign(programme(3000))
    output = Stream(bundles["late"], mix=0.5, dc_blocker_hz=10.0, limiter=SoftLimiter(-3.0, -9.0)).process(
        loud
    )
    assert 10 ** (-9 / 20) < np.abs(output).max() <= 10 ** (-3 / 20)


@pytest.mark.parametrize(
    "options", [{"mix": 1.5}, {"mix": -0.1}, {"dc_blocker_hz": 2e4}, {"dc_blocker_hz": -1.0}], ids=str
)
def test_options_out_of_range_are_refused(bundles, options):
    with pytest.raises(ValueError):
        Stream(bundles["late"], **options)


def test_a_net_without_numbers_stops_until_reset(bundles):
    stream, audio = Stream(bundles["fragile"]), programme(64, seed=3) + 0.1
    first = stream.process(audio)
    with pytest.raises(EngineError, match=r"values that are not finite.*reset\(\)"):
        stream.process(50 * audio)
    with pytest.raises(EngineError, match="values that are not finite"):
        stream.process(audio)
    stream.reset()
    np.testing.assert_array_equal(stream.process(audio), first)


def test_engines_are_chosen_by_name_and_play_the_same(bundles):
    audio = programme(3000)
    streams = [Stream(bundles["lstm"], engine=name) for name in (None, "onnx", "kernel")]
    assert [stream.engine for stream in streams] == ["kernel", "onnx", "kernel"]
    assert engines_of(streams[0].manifest) == ("onnx", "kernel")
    outputs = []
    for stream in streams:
        parts = [
            stream.process(audio[:500], {"drive": 7}),
            stream.process(audio[500:600]),
            stream.process(audio[600:], {}),
        ]
        outputs.append(np.concatenate(parts))
    np.testing.assert_allclose(outputs[2], outputs[1], atol=3e-6)
    assert np.abs(outputs[1]).max() > 0.05
    with pytest.raises(EngineError, match="no engine of this name; expected one of onnx, grid, kernel"):
        Stream(bundles["lstm"], engine="onxn")
    for name in ("kernel", "grid"):
        with pytest.raises(BundleError, match="can be played with: onnx"):
            Stream(bundles["late"], engine=name)


def test_unasked_a_stream_plays_with_the_fastest_engine_that_runs_here(bundles, monkeypatch):
    manifest = read_manifest(bundles["lstm"])
    assert default_engine(manifest) == "kernel"
    assert engine_for_one_file(manifest) == "onnx"
    assert default_engine(read_manifest(bundles["late"])) == "onnx"
    monkeypatch.setattr(engines, "missing_modules", lambda name: ("numba",) if name == "kernel" else ())
    assert default_engine(manifest) == "onnx"
    monkeypatch.setattr(engines, "missing_modules", lambda name: ("onnxruntime",) if name == "onnx" else ())
    assert engine_for_one_file(manifest) == "kernel", "which is all that runs here"
    monkeypatch.setattr(engines, "missing_modules", lambda name: ("numba", "onnxruntime"))
    assert default_engine(manifest) == "onnx", "whose error says what is missing"


def test_long_blocks_are_cut_where_memory_grows_faster(bundles, monkeypatch):
    stream = Stream(bundles["hop"])
    audio = programme(1000)
    wanted = stream.process(audio)
    limited = Stream(bundles["hop"])
    limited.manifest = limited.manifest.__class__(**{**vars(limited.manifest), "max_block_samples": 70})
    lengths, play = [], limited._engine.play
    monkeypatch.setattr(
        limited._engine, "play", lambda rows, controls: lengths.append(rows.shape[1]) or play(rows, controls)
    )
    np.testing.assert_allclose(limited.process(audio), wanted, atol=1e-7)
    assert max(lengths) == 68


def megabytes_now():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


@pytest.fixture(scope="module")
def wavenet(tmp_path_factory):
    """A bundle of a WaveNet in both engines."""
    net = WaveNetNet(0, [4, 4], [1, 2, 4, 8] * 4, 3, "tanh", 1.0, "concat")
    path = tmp_path_factory.mktemp("wavenet") / "bundle"
    export_bundle(net, **arguments(net, path), targets=[OnnxTarget(), KernelTarget()])
    return path


@pytest.mark.parametrize("engine", ["onnx", "kernel"])
def test_memory_does_not_grow_with_blocks_of_changing_lengths(wavenet, engine):
    random = np.random.default_rng(0)
    stream = Stream(wavenet, engine=engine, mix=0.5, dc_blocker_hz=10.0, limiter=SoftLimiter())
    audio = programme(4096)

    def play(blocks):
        for length in random.integers(1, 4097, blocks):
            stream.process(audio[:length])
        gc.collect()

    play(100)
    before = megabytes_now()
    tracemalloc.start()
    play(20)
    traced, _ = tracemalloc.get_traced_memory()
    play(50)
    later, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    play(300)
    assert later - traced < 50_000  # bytes that Python knows of
    assert megabytes_now() - before < 4.0  # with onnxruntime's plans and pool: 7 for as many lengths
