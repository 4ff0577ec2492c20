"""Export: the bundle is whole, true to the net, and there or not there."""

import json
import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from export.nets import (
    RATE_HZ,
    BlockDependent,
    HopNet,
    PythonCondition,
    Slow,
    Untraceable,
    Waveshaper,
    arguments,
    fir,
    lstm,
    programme,
)

from tapezoo.bundle import read_arrays, read_rest
from tapezoo.errors import OutputExistsError, UnwritableOutputError
from tapezoo.export import (
    DEFAULT_TARGETS,
    ExportError,
    NotReplaceableError,
    ParityError,
    export_bundle,
    openers,
    settle_copy,
)
from tapezoo.export.targets.onnx import OnnxTarget
from tapezoo.export.targets.torchscript import TorchScriptTarget
from tapezoo.net import Net
from tapezoo.runtime import verify

NETS = {
    "lstm": lambda: lstm(),
    "lstm with controls": lambda: lstm(2, taps=16),
    "two layers, no linear path": lambda: lstm(1, taps=0, layers=2),
    "fir": lambda: fir(),
    "fir with controls": lambda: fir(2),
    "memoryless": Waveshaper,
    "hop of 4": HopNet,
    "hop of 4 with a dead control": lambda: HopNet(1),
    "rest away from zero": Slow,
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """One bundle with controls for the tests that only look."""
    out = tmp_path_factory.mktemp("export") / "bundle"
    net = lstm(2, taps=16)
    return net, out, export_bundle(net, **arguments(net, out))


@pytest.mark.parametrize("name", NETS)
def test_every_kind_of_net_passes_its_own_gate_silently(name, tmp_path):
    net = NETS[name]()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = export_bundle(net, **arguments(net, tmp_path / "bundle"))
    assert [target.status for target in report.targets] == ["ok", "ok"]
    cases = {row["case"] for row in report.manifest.parity}
    blocks = [4, 64, 336, 512] if net.hop_samples == 4 else [1, 64, 333, 512]
    kinds = ["held", "changing"] if net.num_controls else ["held"]
    assert cases == {"rows", "held_whole", *(f"{kind}_{block}" for kind in kinds for block in blocks)}
    assert all(row["max_abs_error"] <= row["tolerance"] <= 1e-4 for row in report.manifest.parity)
    assert verify(tmp_path / "bundle", openers()) == report


@pytest.mark.parametrize("name", ["lstm with controls", "fir with controls", "memoryless"])
@pytest.mark.parametrize("target", DEFAULT_TARGETS, ids=lambda target: target.name)
def test_a_target_is_the_net_at_lengths_and_rows_the_gate_does_not_try(name, target, tmp_path):
    net = NETS[name]().eval()  # as it is exported: the loops for training round more
    export_bundle(net, **arguments(net, tmp_path / "bundle"))
    step = target.open(
        tmp_path / "bundle" / target.file, list(net.initial_state(torch.zeros(1, net.num_controls)))
    )
    generator = torch.Generator().manual_seed(1)
    for rows, samples in [(1, 2), (4, 7), (5, 1000)]:
        input = torch.randn(rows, 1, samples, generator=generator) * 0.3
        controls = torch.rand(rows, net.num_controls, generator=generator)
        state = {
            key: torch.randn(value.shape, generator=generator) * 0.2
            for key, value in net.initial_state(controls).items()
        }
        with torch.no_grad():
            wanted, wanted_state = net(input, controls, state)
        output, after = step(
            input.numpy(), controls.numpy(), {key: value.numpy() for key, value in state.items()}
        )
        np.testing.assert_allclose(output, wanted.numpy(), atol=2e-6)
        for key, value in wanted_state.items():
            np.testing.assert_allclose(after[key], value.numpy(), atol=2e-6)


def test_the_manifest_and_card_say_what_the_bundle_is(exported):
    _, out, _ = exported
    document = json.loads((out / "manifest.json").read_text())
    assert document["schema_version"] == 2
    assert document["architecture"] == "Small"
    assert document["sample_rate"] == RATE_HZ
    assert document["receptive_field"] is None
    assert [control["name"] for control in document["controls"]] == ["drive", "speed"]
    assert [(s["name"], s["shape"]) for s in document["state"]] == [
        ("control_history", [2, 1024]),
        ("hidden", [1, 8]),
        ("cell", [1, 8]),
        ("past", [1, 15]),
    ]
    assert document["targets"] == {"onnx": "model.onnx", "torchscript": "model.ts"}
    assert document["metrics"] == {"val_esr": 0.01, "val_mrstft": None}
    assert document["provenance"]["checkpoint"] == "best.ckpt"
    assert document["provenance"]["versions"]["torch"] == torch.__version__.split("+")[0]
    assert document["cost"]["onnx"]["threads"] == 1
    assert all(document["cost"]["onnx"]["real_time_factor"][block] > 0 for block in ("64", "2048"))
    card = (out / "MODEL_CARD.md").read_text()
    for said in ("# Small", "drive", "best.ckpt", "0.01", "changing_64", "model.ts"):
        assert said in card


@pytest.mark.filterwarnings("ignore:`torch.jit.load` is deprecated:DeprecationWarning")
def test_targets_share_one_signature_and_carry_the_metadata(exported):
    _, out, _ = exported
    session = onnxruntime.InferenceSession(str(out / "model.onnx"))
    names = ["control_history", "hidden", "cell", "past"]
    inputs = ["input", "controls", *(f"state_{name}" for name in names)]
    assert [i.name for i in session.get_inputs()] == inputs
    assert [o.name for o in session.get_outputs()] == ["output", *(f"next_{name}" for name in names)]
    assert session.get_inputs()[0].shape == ["batch", 1, "samples"]
    metadata = session.get_modelmeta().custom_metadata_map
    assert metadata == {"sample_rate": str(RATE_HZ), "architecture": "Small"}
    extra = {"sample_rate": "", "architecture": ""}
    torch.jit.load(str(out / "model.ts"), _extra_files=extra)
    assert {name: value.decode() for name, value in extra.items()} == metadata
    assert onnx.load(out / "model.onnx").opset_import[0].version == 17


def test_the_controls_input_stays_where_there_are_no_controls(tmp_path):
    export_bundle(fir(), **arguments(fir(), tmp_path / "bundle"))
    inputs = onnxruntime.InferenceSession(str(tmp_path / "bundle" / "model.onnx")).get_inputs()
    assert [(i.name, i.shape) for i in inputs][1] == ("controls", ["batch", 0])


def test_golden_outputs_are_the_nets_own_offline_output(exported):
    net, out, _ = exported
    audio = read_arrays(out, "golden/input.npz", ["input"])["input"]
    held = read_arrays(out, "golden/held.npz", ["controls", "output"])
    assert abs(audio[0, 0]) > 0.1, "golden audio starts where the programme is loud"
    frozen, _ = settle_copy(net, held["controls"][0, 0])
    with torch.no_grad():
        controls = torch.from_numpy(held["controls"][0])
        wanted, _ = frozen(torch.from_numpy(audio[:1, None]), controls, frozen.initial_state(controls))
    np.testing.assert_allclose(held["output"], wanted[:, 0].numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("file", "rows", "block"), [("changing_64", 1, 64), ("changing_1", 1, 1), ("rows", 2, 333)]
)
def test_golden_controls_move_with_every_block_and_row(exported, file, rows, block):
    net, out, _ = exported
    audio = read_arrays(out, "golden/input.npz", ["input"])["input"]
    golden = read_arrays(out, f"golden/{file}.npz", ["controls", "output"])
    samples = golden["output"].shape[1]
    controls = torch.from_numpy(golden["controls"])
    assert controls.shape == (-(-samples // block), rows, 2)
    assert len(np.unique(golden["controls"][3:])) > controls[3:].numel() * 0.9, (
        "they move, for each row on its own"
    )
    assert controls[1].unique().tolist() == [0.0]
    assert controls[2].unique().tolist() == [1.0]
    frozen, _ = settle_copy(net, golden["controls"][0, 0])
    state = frozen.initial_state(controls[0])
    for index, start in enumerate(range(0, samples, block)):
        piece = audio[:rows, None, start : min(start + block, samples)]
        with torch.no_grad():
            wanted, state = frozen(torch.from_numpy(piece), controls[index], state)
        np.testing.assert_allclose(
            golden["output"][:, start : start + block], wanted[:, 0].numpy(), atol=1e-6
        )


def test_the_net_is_left_as_it_was(tmp_path):
    net = lstm(1).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    export_bundle(net, **arguments(net, tmp_path / "bundle"))
    after = net.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert net.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in net.parameters())


def test_silence_from_the_stored_rest_stands_still(exported):
    net, out, report = exported
    rest = {name: torch.from_numpy(value[None]) for name, value in read_rest(out, report.manifest).items()}
    assert max(value.abs().max() for value in rest.values()) > 0.01, (
        "zeros would be no rest for these weights"
    )
    default = torch.tensor([[0.2, 0.5]])
    with torch.no_grad():
        output, _ = net(torch.zeros(1, 1, 4096), default, rest)
    assert float((output - output[..., -1:]).abs().max()) < 1e-5


def test_settle_samples_is_long_enough_for_any_end_of_a_control():
    net = Slow()
    with torch.no_grad():
        net.pole.fill_(0.999)
    default = 0.2  # where its level is 0 at rest, so that settling there says nothing about elsewhere
    frozen, samples = settle_copy(net, np.array([default], np.float32))
    position = torch.tensor([[1.0]])
    with torch.no_grad():
        _, state = frozen(torch.zeros(1, 1, samples), position, frozen.initial_state(position))
    assert state["level"].item() == pytest.approx(1.0 - 0.2, abs=1e-4)  # its closed form


class Altered(OnnxTarget):
    """Exports other weights than the net's."""

    def write(self, graph, path):
        with torch.no_grad():
            for parameter in graph.net.parameters():
                parameter.mul_(1.001)
        super().write(graph, path)
        with torch.no_grad():
            for parameter in graph.net.parameters():
                parameter.div_(1.001)


class Forgetful(TorchScriptTarget):
    """Plays every block from rest."""

    def open(self, path, state_names):
        step, rest = super().open(path, state_names), []

        def forgetful(input, controls, state):
            rest.append(state)
            return step(input, controls, rest[0] if len(rest[0]["past"]) == len(input) else state)

        return forgetful


@pytest.mark.parametrize(
    ("target", "case"), [(Altered(), "held_1;"), (Forgetful(), "held_")], ids=["other weights", "no state"]
)
def test_a_target_that_lies_is_caught_and_nothing_is_left(target, case, tmp_path):
    with pytest.raises(ParityError, match=f"{target.name}.*{case}"):
        export_bundle(fir(), **arguments(fir(), tmp_path / "bundle"), targets=[target])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("net", "error", "says"),
    [
        (PythonCondition, ParityError, "onnx"),
        (BlockDependent, ParityError, "the net: .*held_1;"),
        (Untraceable, ExportError, "onnx"),
    ],
)
def test_a_net_that_cannot_be_exported_honestly_is_refused_and_nothing_is_left(net, error, says, tmp_path):
    with pytest.raises(error, match=says):
        export_bundle(net(), **arguments(net(), tmp_path / "bundle"))
    assert list(tmp_path.iterdir()) == []


def test_a_net_that_blows_up_rounding_is_told_from_a_graph_that_lost_something(tmp_path):
    net = lstm()
    with torch.no_grad():
        for weight in (net.lstm.weight_hh_l0, net.lstm.weight_ih_l0):
            weight.mul_(20.0)  # chaos: two processors never agree for long
        net.lstm.bias_ih_l0.zero_()
    with pytest.raises(ExportError, match="an output that moves"):
        export_bundle(net, **arguments(net, tmp_path / "bundle"))
    assert list(tmp_path.iterdir()) == []


class Restless(Net):
    """A short filter; where its control is over its default, also the sine of 10^5 times what it gives."""

    def __init__(self):
        super().__init__(1, receptive_field=33)
        self.taps = torch.nn.Parameter(torch.full((1, 1, 33), 0.1))
        self.register_rest("past", torch.zeros(1, 32))

    def forward(self, input, controls, state):
        path, knobs = self.smoothed(controls, state, input.shape[-1])
        past = torch.cat([state["past"], input], dim=-1)
        filtered = torch.nn.functional.conv1d(past, self.taps)
        wild = torch.sin(1e5 * filtered) * (path - 0.2).clamp(min=0)
        return filtered + wild, {"past": past[..., -32:], **knobs}


def test_a_net_that_blows_up_rounding_only_where_its_controls_go_is_told_too(tmp_path):
    with pytest.raises(ExportError, match=r"golden case (rows|changing_)"):
        export_bundle(Restless().eval(), **arguments(Restless(), tmp_path / "bundle"))
    assert list(tmp_path.iterdir()) == []


def test_a_net_that_is_not_finite_is_refused(tmp_path):
    net = fir()
    with torch.no_grad():
        net.taps[0, 0, 0] = float("nan")
    with pytest.raises(ParityError, match="the net"):
        export_bundle(net, **arguments(net, tmp_path / "bundle"))


@pytest.mark.parametrize(
    "audio",
    [
        np.zeros(9000, np.float32),
        programme(6000),
        np.full(9000, np.nan, np.float32),
        programme(8000).reshape(1, -1),
    ],
    ids=["silent", "short", "nan", "two dimensions"],
)
def test_audio_that_shows_nothing_is_refused(audio, tmp_path):
    with pytest.raises(ExportError, match="the audio for golden files"):
        export_bundle(fir(), **arguments(fir(), tmp_path / "bundle", audio=audio))
    assert list(tmp_path.iterdir()) == []


def interrupt(step):
    raise KeyboardInterrupt


def test_ctrl_c_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        export_bundle(fir(), **arguments(fir(), tmp_path / "bundle", progress=interrupt))
    assert list(tmp_path.iterdir()) == []


def test_overwriting_needs_to_be_asked_for_and_replaces_only_when_the_new_one_is_good(tmp_path):
    out = tmp_path / "bundle"
    first = export_bundle(fir(), **arguments(fir(), out))
    with pytest.raises(OutputExistsError):
        export_bundle(fir(1), **arguments(fir(1), out))
    with pytest.raises(ParityError):
        export_bundle(fir(1), **arguments(fir(1), out, overwrite=True), targets=[Altered()])
    with pytest.raises(KeyboardInterrupt):
        export_bundle(fir(1), **arguments(fir(1), out, overwrite=True, progress=interrupt))
    assert verify(out, openers()) == first
    second = export_bundle(fir(1), **arguments(fir(1), out, overwrite=True))
    assert verify(out, openers()) == second != first
    assert list(tmp_path.iterdir()) == [out]


def test_overwrite_never_removes_what_is_no_bundle(tmp_path):
    music = tmp_path / "music"
    music.mkdir()
    (music / "song.wav").write_bytes(b"RIFF")
    for out in (music, music / "song.wav"):
        with pytest.raises(NotReplaceableError):
            export_bundle(fir(), **arguments(fir(), out, overwrite=True))
    assert (music / "song.wav").read_bytes() == b"RIFF"


def test_a_place_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "no folder" / "bundle", tmp_path / "file" / "bundle"):
        with pytest.raises(UnwritableOutputError):
            export_bundle(fir(), **arguments(fir(), out))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_controls_that_do_not_fit_the_net_are_a_callers_mistake(tmp_path):
    with pytest.raises(ValueError, match="2 controls"):
        export_bundle(fir(), **arguments(fir(), tmp_path / "b", controls=arguments(fir(2), None)["controls"]))
