"""The compiled kernels as an export target: the net's sound, and refusals of what they cannot say."""

import json
import shutil

import numpy as np
import pytest
import torch
from export.nets import HopNet, arguments, fir, perturbed, programme
from safetensors.numpy import save_file

from tapezoo.bundle import BundleError, file_hashes, read_manifest, seal
from tapezoo.export import ExportError, export_bundle
from tapezoo.export.rounding import net_step
from tapezoo.export.targets.kernel import KernelTarget
from tapezoo.export.targets.onnx import OnnxTarget
from tapezoo.export.targets.target import graph_of
from tapezoo.filtered import FilterBeside
from tapezoo.models.gru import GRUNet
from tapezoo.models.lstm import HyperLSTMNet, LSTMNet
from tapezoo.models.wavenet import WaveNetNet
from tapezoo.runtime import EngineError, Stream, verify
from tapezoo.runtime.kernels import KernelFile, read_kernel, write_kernel
from tapezoo.runtime.kernels.voices import channel_maker

# sizes that are no multiple of a vector, and more than one of everything that can be stacked
NETS = {
    "lstm": lambda: LSTMNet(0, 32, 1, 1, 1000.0),
    "lstm, odd, two layers, two knobs, long linear path": lambda: LSTMNet(2, 5, 2, 40, 100.0),
    "lstm without a linear path": lambda: LSTMNet(1, 17, 1, 0, 100.0),
    "lstm of five vectors": lambda: LSTMNet(0, 40, 1, 1, 100.0),
    "gru": lambda: GRUNet(0, 16, 1, 1, 1000.0),
    "gru, odd, two layers, two knobs": lambda: GRUNet(2, 19, 2, 3, 100.0),
    "wavenet": lambda: WaveNetNet(0, [16, 8], [1, 2, 4, 8, 64], 3, "tanh", 0.5, "concat"),
    "wavenet, odd, gated, two knobs": lambda: WaveNetNet(
        2, [5, 3, 2], [1, 3, 700], 2, "gated", 1.0, "concat"
    ),
    "lstm beside a long filter": lambda: FilterBeside(LSTMNet(1, 5, 1, 1, 100.0), 200),
    "gru without a path beside a long filter": lambda: FilterBeside(GRUNet(0, 5, 1, 0, 100.0), 33),
    "wavenet beside a long filter": lambda: FilterBeside(
        WaveNetNet(1, [3], [1, 5], 3, "tanh", 1.0, "concat"), 300
    ),
    "wavenet folded": lambda: WaveNetNet(2, [6], [1, 5], 3, "tanh", 1.0, "concat").folded(
        torch.tensor([0.3, 0.9])
    ),
}


def random_net(name):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return perturbed(NETS[name](), seed=1).eval()


@pytest.mark.parametrize(
    "shape",
    [{"activation": "leaky_relu"}, {"kernel_size": [3, 2]}, {"head_taps": 2}],
    ids=lambda shape: next(iter(shape)),
)
def test_a_wavenet_that_the_kernel_cannot_say_is_refused_with_what_it_can(shape):
    found, _ = KernelTarget().refusal(WaveNetNet(0, [3], [1, 3], **shape))
    assert "WaveNet with tanh or gates, one kernel size and a head of one tap" in found


@pytest.mark.parametrize("name", NETS)
def test_a_kernel_is_the_net_from_any_state_in_any_blocks_with_controls_on_their_way(name, tmp_path):
    net, target = random_net(name), KernelTarget()
    assert target.refusal(net) is None
    target.write(graph_of(net, {"architecture": "Small"}), tmp_path / target.file)
    state = net.initial_state(torch.rand(3, net.num_controls))
    generator = torch.Generator().manual_seed(2)
    for key, value in state.items():
        if not key.startswith("control"):
            state[key] = 0.5 * torch.randn(value.shape, generator=generator)
    mine = {key: value.numpy() for key, value in state.items()}
    theirs = {key: value.copy() for key, value in mine.items()}
    kernel, reference = target.open(tmp_path / target.file, list(mine)), net_step(net)
    random = np.random.default_rng(0)
    for length in (1, 5, 64, 65, 700, 16, 300, 2):
        audio = (0.3 * random.standard_normal((3, 1, length))).astype(np.float32)
        controls = random.random((3, net.num_controls), dtype=np.float32)
        before = {key: value.copy() for key, value in mine.items()}
        output, after = kernel(audio, controls, mine)
        wanted, theirs = reference(audio, controls, theirs)
        np.testing.assert_allclose(output, wanted, atol=4e-6 * max(1.0, np.abs(wanted).max()))
        assert after.keys() == theirs.keys()
        for key in after:
            np.testing.assert_array_equal(mine[key], before[key])  # the step is pure
            np.testing.assert_allclose(
                after[key], theirs[key], atol=4e-6 * max(1.0, np.abs(theirs[key]).max())
            )
        mine = after


@pytest.mark.parametrize(
    ("net", "words"),
    [
        (lambda: fir(), "FIRNet"),
        (lambda: HopNet(), "HopNet"),
        (lambda: HyperLSTMNet(1, 4, 1, 1, 100.0, 0), "weights follow the controls"),
        (lambda: LSTMNet(1, 4, 1, 1, 100.0, "film"), "FiLM"),
        (lambda: GRUNet(1, 4, 1, 1, 100.0, "temporal_film"), "TemporalFiLM"),
        (lambda: WaveNetNet(1, [4], [1, 2], 2, "tanh", 1.0, "film_glu"), "FiLMGLU"),
        (lambda: WaveNetNet(1, [4], [1, 2], 2, "tanh", 1.0, "film").folded(torch.tensor([0.5])), "Scaling"),
    ],
)
def test_what_no_kernel_expresses_is_refused_before_anything_is_written(net, words, tmp_path):
    net = perturbed(net())
    with pytest.raises(ExportError, match=words) as caught:
        export_bundle(net, **arguments(net, tmp_path / "bundle"), targets=[OnnxTarget(), KernelTarget()])
    assert "onnx" in caught.value.fix
    assert not (tmp_path / "bundle").exists()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A bundle with the kernel, and its net."""
    net = random_net("lstm, odd, two layers, two knobs, long linear path")
    path = tmp_path_factory.mktemp("kernel") / "bundle"
    export_bundle(net, **arguments(net, path), targets=[OnnxTarget(), KernelTarget()])
    return net, path


def test_a_bundle_holds_it_through_the_gate_and_verify_replays_it(bundle):
    _, path = bundle
    manifest = read_manifest(path)
    assert KernelTarget().file == manifest.targets["kernel"] == "kernel.safetensors"
    gate = [row for row in manifest.parity if row["target"] == "kernel"]
    assert len(gate) == len(manifest.golden) > 5
    report = verify(path, {"kernel": KernelTarget().open})
    assert {target.target: target.status for target in report.targets} == {
        "onnx": "not replayed",
        "kernel": "ok",
    }
    assert max(result.max_abs_error for result in report.targets[1].results) > 0
    modes = {file.stat().st_mode for file in path.iterdir() if file.is_file()}
    assert len(modes) == 1, "who may read one file may read all"


def test_the_stream_starts_at_rest_at_other_controls(bundle):
    _, path = bundle
    audio = programme(1500)
    outputs = [
        Stream(path, engine=name).process(np.stack([audio, -audio]), [1.0, 0.1])
        for name in ("onnx", "kernel")
    ]
    np.testing.assert_allclose(outputs[1], outputs[0], atol=3e-6)


def test_samples_that_lie_apart_in_memory_are_played_as_others(bundle):
    audio = np.stack([programme(700), programme(700, seed=1)])
    for other in (np.asfortranarray(audio), np.repeat(audio, 2, axis=1)[:, ::2]):
        wanted = Stream(bundle[1], engine="kernel").process(audio)
        np.testing.assert_array_equal(Stream(bundle[1], engine="kernel").process(other), wanted)


def test_a_changed_weight_fails_the_replay(bundle, tmp_path):
    copy = tmp_path / "bundle"
    shutil.copytree(bundle[1], copy)
    file = read_kernel(copy / "kernel.safetensors")
    arrays = {**file.arrays, "head.bias": file.arrays["head.bias"] + 0.01}
    settings = {"layers": file.settings["layers"]}
    write_kernel(
        KernelFile("lstm", file.num_controls, file.smoothing_samples, settings, arrays),
        copy / "kernel.safetensors",
        {},
    )
    document = json.loads((copy / "manifest.json").read_text())
    document["files"] = file_hashes(copy)
    (copy / "manifest.json").write_text(json.dumps(document))
    seal(copy, read_manifest(copy))
    with pytest.raises(BundleError, match="kernel"):
        verify(copy, {"kernel": KernelTarget().open})


LSTM = {
    "layer_0.input": np.zeros((16, 1)),
    "layer_0.hidden": np.zeros((16, 4)),
    "layer_0.bias": np.zeros(16),
    "head.weight": np.zeros(4),
    "head.bias": np.zeros(1),
    "taps": np.zeros(1),
}
WAVENET = {
    "array_0.widen": np.zeros((2, 1)),
    "array_0.dilated": np.zeros((2, 2, 2, 3)),
    "array_0.mix": np.zeros((2, 2, 2)),
    "array_0.residual": np.zeros((2, 2, 3)),
    "array_0.head": np.zeros((1, 3)),
}


def written(path, kernel, arrays, settings, num_controls=0, smoothing_samples=1024):
    write_kernel(KernelFile(kernel, num_controls, smoothing_samples, settings, arrays), path, {})
    return path


def test_files_that_fit_are_read(tmp_path):
    channel_maker(written(tmp_path / "a", "lstm", LSTM, {"layers": "1"}))()
    channel_maker(written(tmp_path / "b", "wavenet", WAVENET, {"arrays": "1", "dilations": "1,2"}))()


@pytest.mark.parametrize(
    ("kernel", "changes", "settings", "controls"),
    [
        *[("lstm", {name: np.zeros((3, *array.shape))}, {"layers": "1"}, 0) for name, array in LSTM.items()],
        *[("lstm", {name: array[1:]}, {"layers": "1"}, 0) for name, array in LSTM.items()],
        *[("lstm", {name: array + np.nan}, {"layers": "1"}, 0) for name, array in LSTM.items()],
        ("lstm", {}, {"layers": "2"}, 0),
        ("lstm", {}, {"layers": "-1"}, 0),
        ("lstm", {}, {}, 0),
        ("lstm", {}, {"layers": "1"}, 1),
        ("lstm", {}, {"layers": "1"}, -1),
        ("unknown", {}, {"layers": "1"}, 0),
        *[
            ("wavenet", {name: array[..., 1:]}, {"arrays": "1", "dilations": "1,2"}, 0)
            for name, array in WAVENET.items()
            if name != "array_0.dilated"  # any number of taps will do
        ],
        *[
            ("wavenet", {name: array[1:]}, {"arrays": "1", "dilations": "1,2"}, 0)
            for name, array in WAVENET.items()
        ],
        ("wavenet", {}, {"arrays": "1", "dilations": "1,2,3"}, 0),
        ("wavenet", {}, {"arrays": "1", "dilations": "1,-2"}, 0),
        ("wavenet", {}, {"arrays": "1", "dilations": "1,2000000000"}, 0),
        ("wavenet", {}, {"arrays": "2", "dilations": "1,2"}, 0),
        ("wavenet", {}, {"arrays": "1", "dilations": "1,2"}, 1),
    ],
)
def test_a_file_whose_sizes_do_not_fit_never_reaches_the_compiled_code(
    tmp_path, kernel, changes, settings, controls
):
    arrays = {**(LSTM if kernel != "wavenet" else WAVENET), **changes}
    path = written(tmp_path / "kernel.safetensors", kernel, arrays, settings, controls)
    with pytest.raises(EngineError, match=r"kernel\.safetensors: found .*the weights of a kernel"):
        channel_maker(path)


@pytest.mark.parametrize("given", [0, 2])
def test_controls_that_are_not_the_kernels_never_reach_the_compiled_code(tmp_path, given):
    arrays = {**LSTM, "layer_0.input": np.zeros((16, 2))}
    channel = channel_maker(written(tmp_path / "k", "lstm", arrays, {"layers": "1"}, 1))()
    output = np.zeros(8, np.float32)
    channel.play(np.zeros(8, np.float32), np.zeros(1, np.float32), output)
    with pytest.raises(ValueError, match=f"{given} controls for a kernel with 1"):
        channel.play(np.zeros(8, np.float32), np.zeros(given, np.float32), output)


def test_a_file_of_another_kind_is_named(tmp_path):
    path = tmp_path / "kernel.safetensors"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(EngineError, match=r"kernel\.safetensors: found .*the weights of a kernel"):
        read_kernel(path)
    save_file({"taps": np.zeros(1, np.float32)}, path, {"format": "3"})
    with pytest.raises(EngineError, match="format 3, not 1 or 2"):
        read_kernel(path)
