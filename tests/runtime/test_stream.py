"""The torch-free player: the same sound as the net, in any blocks, from rest."""

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest
import torch
from export.nets import RATE_HZ, HopNet, Slow, Waveshaper, arguments, fir, knobs, lstm, perturbed, programme

from tapezoo.bundle import BundleError, file_hashes, read_manifest, seal
from tapezoo.controls import ControlError
from tapezoo.export import export_bundle
from tapezoo.export.targets.onnx import OnnxTarget
from tapezoo.models.lstm import LSTM
from tapezoo.play import settle
from tapezoo.runtime import Stream, verify

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """Name -> (net, bundle)."""
    root = tmp_path_factory.mktemp("bundles")
    nets = {"lstm": lstm(2, taps=16), "fir": fir(), "shaper": Waveshaper(), "hop": HopNet(), "slow": Slow()}
    for name, net in nets.items():
        export_bundle(net, **arguments(net, root / name))
    return {name: (net, root / name) for name, net in nets.items()}


def offline(net, audio, positions):
    """The net in one piece from its settled state; (rows, samples)."""
    controls = torch.tensor([positions] * len(audio), dtype=torch.float32).reshape(
        len(audio), net.num_controls
    )
    state, _ = settle(net, controls)
    with torch.no_grad():
        return net(torch.from_numpy(audio[:, None]), controls, state)[0][:, 0].numpy()


def in_blocks(stream, audio, lengths, controls=None):
    """Plays (..., samples) in blocks of `lengths`, over and over."""
    pieces, start, index = [], 0, 0
    while start < audio.shape[-1]:
        block = audio[..., start : start + lengths[index % len(lengths)]]
        pieces.append(stream.process(block, controls))
        start, index = start + block.shape[-1], index + 1
    return np.concatenate(pieces, axis=-1)


@pytest.mark.parametrize(
    ("name", "default"), [("lstm", [0.2, 0.5]), ("fir", []), ("shaper", []), ("slow", [0.2])]
)
@pytest.mark.parametrize("lengths", [[7], [64], [1, 500, 3], [100_000]], ids=str)
def test_any_blocks_give_the_nets_offline_output(bundles, name, default, lengths):
    net, path = bundles[name]
    audio = programme(5000, seed=1)
    output = in_blocks(Stream(path), audio, lengths)
    assert output.dtype == np.float32
    np.testing.assert_allclose(output, offline(net, audio[None], default)[0], atol=5e-6)


@pytest.mark.parametrize(
    "controls", [{"drive": 10, "speed": 1}, [1.0, 0.0], np.array([1.0, 0.0])], ids=["names", "list", "array"]
)
def test_other_controls_start_from_rest_at_those_controls(bundles, controls):
    net, path = bundles["lstm"]
    audio = programme(2000, seed=1)
    output = in_blocks(Stream(path), audio, [64], controls)
    np.testing.assert_allclose(output, offline(net, audio[None], [1.0, 0.0])[0], atol=5e-6)


def test_silence_stays_silent_at_any_controls(bundles):
    _, path = bundles["slow"]
    for drive in (0, 2, 10):
        output = Stream(path).process(np.zeros(1000, np.float32), {"drive": drive})
        assert np.ptp(output) < 1e-4
        assert output[0] == pytest.approx(drive / 10 - 0.2, abs=1e-4)  # where its level stands by definition


def test_controls_move_between_blocks_and_stay_where_they_were_put(bundles):
    net, path = bundles["lstm"]
    audio = programme(900, seed=1)
    stream = Stream(path)
    moves = [None, {"drive": 10}, None, [0.1, 0.9], {}]
    positions = [[0.2, 0.5], [1.0, 0.5], [1.0, 0.5], [0.1, 0.9], [0.2, 0.5]]
    state, _ = settle(net, torch.tensor([[0.2, 0.5]]))
    for move, position, block in zip(moves, positions, np.split(audio, [100, 333, 334, 600]), strict=True):
        with torch.no_grad():
            wanted, state = net(torch.from_numpy(block[None, None]), torch.tensor([position]), state)
        np.testing.assert_allclose(stream.process(block, move), wanted[0, 0].numpy(), atol=5e-6)


@pytest.fixture(scope="module", params=["concat", "hyper"])
def turnable(request, tmp_path_factory):
    """(net, bundle) of a small LSTM with two controls."""
    units = [knob.to_dict() for knob in knobs(lstm(2))]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = LSTM(hidden_size=4, conditioning=request.param, sample_rate=RATE_HZ, controls=units)
    net = perturbed(model.net)
    path = tmp_path_factory.mktemp("turnable") / "bundle"
    export_bundle(net, **arguments(net, path), targets=[OnnxTarget()])  # the only one a Stream plays
    return net, path


# (first sample, what the player is told, where that is): at rest, a turn, another on its way, and back
TURNS = [
    (0, None, [0.2, 0.5]),
    (60, {"drive": 10}, [1.0, 0.5]),
    (260, {"drive": 10, "speed": 1}, [1.0, 0.0]),
    (1400, {}, [0.2, 0.5]),
]


@pytest.mark.parametrize("block", [1, 64, 333])
def test_turned_controls_glide_as_in_the_net(turnable, block):
    net, path = turnable
    audio, stream = programme(1500, seed=1), Stream(path)
    state, _ = settle(net, torch.tensor([[0.2, 0.5]]))
    ends = [start for start, _, _ in TURNS[1:]] + [1500]
    for (start, told, position), end in zip(TURNS, ends, strict=True):
        stretch = audio[start:end]
        with torch.no_grad():  # in one pass: the law of streaming says that its own blocks give the same
            whole, state = net(torch.from_numpy(stretch[None, None]), torch.tensor([position]), state)
        played = in_blocks(stream, stretch, [block], told)
        np.testing.assert_allclose(played, whole[0, 0].numpy(), atol=5e-6)


def test_a_turned_control_makes_no_jump(turnable):
    _, path = turnable
    stream, level = Stream(path), np.full(4096, 0.3, np.float32)
    before = in_blocks(stream, level, [64])[-1]
    after = in_blocks(stream, level, [64], [1.0, 0.0])
    moved = np.abs(after[-1] - before)
    assert moved > 1e-3
    assert np.abs(np.diff(after, prepend=before)).max() < 0.1 * moved


def test_channels_are_independent_and_keep_their_shape(bundles):
    _, path = bundles["lstm"]
    left, right = programme(1500, seed=1), programme(1500, seed=2)[::-1].copy()
    both = in_blocks(Stream(path), np.stack([left, right]), [64])
    assert both.shape == (2, 1500)
    np.testing.assert_allclose(both[0], in_blocks(Stream(path), left, [64]), atol=1e-6)
    np.testing.assert_allclose(both[1], in_blocks(Stream(path), right, [64]), atol=1e-6)
    assert Stream(path).process(left[None]).shape == (1, 1500)


def test_reset_forgets_everything(bundles):
    _, path = bundles["lstm"]
    audio = programme(500, seed=1)
    stream = Stream(path)
    first = stream.process(audio)
    stream.process(np.ones((500,), np.float32), {"drive": 10})
    assert np.abs(stream.process(audio, {}) - first).max() > 1e-4, "without a reset the past is heard"
    stream.reset()
    np.testing.assert_array_equal(stream.process(audio), first)
    stream.reset()
    assert stream.process(np.stack([audio, audio])).shape == (2, 500)


@pytest.mark.parametrize("lengths", [[1], [3], [4], [5, 2, 64], [333]], ids=str)
def test_a_net_with_a_hop_is_rebuffered_and_says_how_late_it_is(bundles, lengths):
    net, path = bundles["hop"]
    audio = programme(4000, seed=1)
    stream = Stream(path)
    output = in_blocks(stream, np.stack([audio, -audio]), lengths)
    late = stream.added_latency_samples
    assert late == 3
    np.testing.assert_array_equal(output[:, :late], 0)
    wanted = offline(net, audio[None], [])
    np.testing.assert_allclose(output[0, late:], wanted[0, :-late], atol=1e-6)
    np.testing.assert_allclose(output[1, late:], -wanted[0, :-late], atol=1e-6)


def test_an_empty_block_changes_nothing(bundles):
    _, path = bundles["lstm"]
    audio, stream = programme(300, seed=1), Stream(path)
    assert stream.process(audio[:0]).shape == (0,)
    first = stream.process(audio[:100])
    stream.process(audio[:0])
    output = np.concatenate([first, stream.process(audio[100:])])
    np.testing.assert_allclose(output, Stream(path).process(audio), atol=1e-6)


def test_bad_blocks_and_controls_are_refused_before_the_state_moves(bundles):
    _, path = bundles["lstm"]
    audio, stream = programme(300, seed=1), Stream(path)
    first = stream.process(audio)
    for block in (
        np.array([0.0, np.nan], np.float32),
        np.zeros((1, 1, 4), np.float32),
        np.zeros((2, 4), np.float32),
    ):
        with pytest.raises(ValueError):
            stream.process(block)
    for controls in ({"colour": 1}, {"drive": 11}, [0.5], [0.5, 1.5], [0.5, np.nan]):
        with pytest.raises(ControlError):
            stream.process(audio, controls)
    other = Stream(path)
    np.testing.assert_array_equal(first, other.process(audio))
    np.testing.assert_array_equal(stream.process(audio), other.process(audio))


@pytest.mark.parametrize(
    ("block", "says"),
    [
        (np.full(64, 12000, np.int16), "2**15"),
        (np.full(64, 12000.0, np.float32), "2**15"),
        (np.zeros(64, np.int16), "int16"),
        (np.zeros(64, bool), "bool"),
        (np.zeros(64, np.complex64), "complex64"),
        (np.zeros(64, "datetime64[s]"), "datetime64"),
        (np.zeros(64, object), "object"),
        (["a"], "float32"),
        (np.zeros((512, 2), np.float32), "rows are channels: pass the transpose (block.T)"),
        (np.float32(0.5), "shape ()"),
        (np.full(64, 1e300), "infinity"),
    ],
)
def test_an_array_that_is_no_audio_is_refused_with_what_to_do(bundles, block, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        Stream(bundles["fir"][1]).process(block)


def test_few_channels_and_long_blocks_of_many_are_audio(bundles):
    stream = Stream(bundles["fir"][1])
    for shape in ((8, 1), (64, 64), (2, 1)):
        stream.reset()
        assert stream.process(np.zeros(shape, np.float32)).shape == shape
    stream.reset()
    stream.process(np.zeros((64, 64), np.float32))
    assert stream.process(np.zeros((64, 1), np.float32)).shape == (64, 1), "the layout is known by now"
    assert stream.process(np.full((64, 3), 1000.5, np.float32)).shape == (64, 3), "loud, and yet scaled"


@pytest.mark.parametrize(
    "controls",
    [
        {"drive": True},
        {"drive": np.bool_(True)},
        {"drive": 1j},
        {"drive": np.complex64(1)},
        {"drive": np.datetime64(1, "s")},
        [True, 0.5],
        np.array([True, False]),
        np.array([0.5, 0.5], complex),
        np.array(["0.5", "0.5"]),
    ],
)
def test_controls_that_are_no_numbers_are_refused(bundles, controls):
    with pytest.raises(ControlError):
        Stream(bundles["lstm"][1]).process(programme(100), controls)


def test_the_controls_of_a_refused_block_are_not_in_force(bundles):
    _, path = bundles["lstm"]
    audio, stream, other = programme(300, seed=1), Stream(path), Stream(path)
    stream.process(audio), other.process(audio)
    with pytest.raises(ValueError, match="2 channels after 1"):
        stream.process(np.zeros((2, 4), np.float32), [1.0, 1.0])
    np.testing.assert_array_equal(stream.process(audio), other.process(audio))


class Stubborn:
    """An engine that refuses to go anywhere but to 0, as a grid does with a control that it holds."""

    preparation = ""

    def start(self, channels, controls):
        self._check(controls)

    def play(self, rows, controls):
        self._check(controls)
        return rows

    def _check(self, controls):
        if controls.any():
            raise ControlError("control", found="1", expected="0", fix="Leave it there.")


@pytest.mark.parametrize("net", [lstm(1), HopNet(1)], ids=["any length", "whole hops"])
def test_what_an_engine_refuses_leaves_nothing_behind(tmp_path, monkeypatch, net):
    export_bundle(net, **arguments(net, tmp_path / "bundle"), targets=[OnnxTarget()])
    monkeypatch.setattr("tapezoo.runtime.stream.open_engine", lambda *_: Stubborn())
    stream, other = Stream(tmp_path / "bundle"), Stream(tmp_path / "bundle")
    for part in np.split(programme(300, seed=1), 3):
        with pytest.raises(ControlError):
            stream.process(-part, [1.0])
        heard = stream.process(part, [0.0])
        with pytest.raises(ControlError):
            stream.process(-part, [1.0])
        np.testing.assert_array_equal(heard, other.process(part, [0.0]))
        np.testing.assert_array_equal(stream.process(part), other.process(part))


def test_a_changed_bundle_does_not_play(bundles, tmp_path):
    bundle = tmp_path / "bundle"
    shutil.copytree(bundles["fir"][1], bundle)
    with (bundle / "rest_state.npz").open("ab") as stream:
        stream.write(b"x")
    for use in (Stream, verify):
        with pytest.raises(BundleError, match=r"rest_state\.npz"):
            use(bundle)


def test_a_bundle_without_onnx_says_so(bundles, tmp_path):
    bundle = tmp_path / "bundle"
    shutil.copytree(bundles["fir"][1], bundle)
    document = json.loads((bundle / "manifest.json").read_text())
    (bundle / "model.onnx").unlink()
    del document["targets"]["onnx"], document["files"]["model.onnx"]
    (bundle / "manifest.json").write_text(json.dumps(document))
    seal(bundle, read_manifest(bundle))
    with pytest.raises(BundleError, match="no target 'onnx'"):
        Stream(bundle)
    assert [target.status for target in verify(bundle).targets] == ["not replayed"]


def test_a_file_that_is_no_graph_is_named(bundles, tmp_path):
    bundle = tmp_path / "bundle"
    shutil.copytree(bundles["fir"][1], bundle)
    (bundle / "model.onnx").write_bytes(b"no graph")
    document = json.loads((bundle / "manifest.json").read_text())
    document["files"] = file_hashes(bundle)
    (bundle / "manifest.json").write_text(json.dumps(document))
    seal(bundle, read_manifest(bundle))
    with pytest.raises(BundleError, match=r"model\.onnx.*no readable ONNX graph"):
        verify(bundle)


# verifies and streams the bundle given as argument, in a process that has never seen torch
PLAY = """
import sys
import numpy as np
from tapezoo.runtime import Stream, verify
report = verify(sys.argv[1])
output = Stream(sys.argv[1]).process(np.full(1000, 0.1, np.float32))
import os
heavy = {"torch", "lightning", "onnx", "scipy", "mlflow", "torchaudio"} & set(sys.modules)
print([(t.target, t.status) for t in report.targets], float(np.abs(output).max()) > 0, heavy,
      os.environ["ORT_DISABLE_TELEMETRY"])
"""
PLAYED = "[('onnx', 'ok'), ('torchscript', 'not replayed')] True set() 1"


def test_verify_and_stream_run_where_torch_cannot_be_imported(bundles):
    blocked = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "lightning", "onnx", "scipy", "numba", "yaml", "soundfile"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Block())
"""
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run(
        [sys.executable, "-c", blocked + PLAY, bundles["lstm"][1]],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.stdout.strip() == PLAYED, done.stderr


def test_telemetry_is_off_before_onnxruntime_loads():
    code = """
import os, sys
os.environ.pop("ORT_DISABLE_TELEMETRY", None)
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "onnxruntime":
            print(os.environ.get("ORT_DISABLE_TELEMETRY"))
sys.meta_path.insert(0, Watch())
import tapezoo.runtime
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


@pytest.mark.slow
def test_a_slim_environment_verifies_and_streams(bundles, tmp_path):
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    fetched = subprocess.run(
        [*pip, "numpy", "onnxruntime", "soundfile", "setuptools>=77"], capture_output=True, text=True
    )
    if fetched.returncode:
        pytest.skip(f"no package index: {fetched.stderr[-300:]}")
    source = tmp_path / "source"  # building writes beside the sources
    shutil.copytree(ROOT / "tapezoo", source / "tapezoo", ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", source], check=True)
    done = subprocess.run(
        [python, "-c", PLAY, bundles["lstm"][1]],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PATH": os.defpath},
    )
    assert done.stdout.strip() == PLAYED, done.stderr
