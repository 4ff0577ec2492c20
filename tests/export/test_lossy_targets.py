"""Lossy targets: what is rounded, what it costs in sound, who is refused; and what else a bundle may hold."""

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from export.nets import HopNet, arguments, lstm, perturbed, programme
from onnx import TensorProto, numpy_helper

from tapezoo.bundle import read_arrays, read_manifest
from tapezoo.bundle.grid.index import GridAxis, GridIndex, GridPoint
from tapezoo.bundle.targets import TARGETS, TargetNameError, check_playable
from tapezoo.export import (
    DEFAULT_TARGETS,
    ExportError,
    ParityError,
    default_targets,
    export_bundle,
    load_target,
    load_targets,
    openers,
    settle_copy,
)
from tapezoo.export.pictures import Pictures
from tapezoo.export.targets.fp16 import halve_weights
from tapezoo.export.targets.onnx import OnnxTarget
from tapezoo.export.targets.target import graph_of
from tapezoo.models.edlstm import EDLSTM
from tapezoo.models.fir import FIRNet
from tapezoo.models.grey_box import GreyBox
from tapezoo.models.gru import GRU
from tapezoo.models.lstm import LSTMNet
from tapezoo.models.wavenet import WaveNet
from tapezoo.net import Net
from tapezoo.report.card import PICTURES, model_card
from tapezoo.runtime import Stream, open_onnx, verify

LOSSY = load_targets(["onnx", "onnx_int8", "onnx_fp16"])
INT8, FP16 = load_target("onnx_int8"), load_target("onnx_fp16")


def recurrent(units=24):
    return perturbed(LSTMNet(2, hidden_size=units, num_layers=1, linear_taps=16, memory_samples=100.0))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """One bundle with both lossy targets for the tests that only look."""
    out = tmp_path_factory.mktemp("lossy") / "bundle"
    net = recurrent()
    return net, out, export_bundle(net, **arguments(net, out), targets=LOSSY)


def replayed_esr(session, out, manifest):
    """An ESR by hand, without any of the code that made the table."""
    audio = read_arrays(out, "golden/input.npz", ["input"])["input"]
    rest = np.load(out / "rest_state.npz")
    error_energy = energy = largest = 0.0
    for case in manifest.golden:
        golden = read_arrays(out, case.file, ["controls", "output"])
        state = {f"state_{name}": np.stack([rest[name]] * case.rows) for name in rest.files}
        for index, start in enumerate(range(0, case.samples, case.block_samples)):
            stop = min(start + case.block_samples, case.samples)
            controls = golden["controls"][min(index, len(golden["controls"]) - 1)]
            block = audio[: case.rows, None, start:stop]
            output, *after = session.run(None, {"input": block, "controls": controls, **state})
            state = dict(zip(state, after, strict=True))
            wanted = golden["output"][:, start:stop].astype(np.float64)
            error_energy += ((output[:, 0] - wanted) ** 2).sum()
            energy += (wanted**2).sum()
            largest = max(largest, np.abs(output[:, 0] - wanted).max())
    return error_energy / energy, largest


def test_the_loss_table_is_what_replaying_by_hand_gives(exported):
    _, out, report = exported
    rows = {row["target"]: row for row in report.manifest.degradation}
    assert list(rows) == ["onnx_int8", "onnx_fp16"]
    for name, row in rows.items():
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # several give int8 activations other scales
        session = onnxruntime.InferenceSession(out / TARGETS[name].file, options)
        esr, largest = replayed_esr(session, out, report.manifest)
        assert row["esr"] == pytest.approx(esr, rel=1e-3)
        assert row["max_abs_error"] == pytest.approx(largest, rel=1e-3)
        assert 0 < row["esr"] < row["max_esr"] == 1e-3
        assert row["size_bytes"] == (out / TARGETS[name].file).stat().st_size
    assert {row["target"] for row in report.manifest.parity} == {"net", "onnx"}, (
        "the gate judges no lossy target"
    )
    assert verify(out, openers()) == report


def test_all_onnx_targets_share_signature_metadata_and_measured_cost(exported):
    _, out, report = exported
    sessions = [onnxruntime.InferenceSession(out / target.file) for target in LOSSY]
    seen = [
        (
            [(port.name, port.type, port.shape) for port in session.get_inputs()],
            [(port.name, port.type) for port in session.get_outputs()],
            session.get_modelmeta().custom_metadata_map,
        )
        for session in sessions
    ]
    assert seen[0] == seen[1] == seen[2]
    assert sorted(report.manifest.cost) == ["onnx", "onnx_fp16", "onnx_int8"]
    assert all(set(cost["real_time_factor"]) == {"64", "2048"} for cost in report.manifest.cost.values())


def test_int8_holds_every_row_of_the_lstm_within_half_a_step(exported):
    net, out, _ = exported
    model = onnx.load(out / INT8.file)
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    [node] = [node for node in model.graph.node if node.op_type == "DynamicQuantizeLSTM"]
    assert "LSTM" not in {node.op_type for node in model.graph.node}
    for place, weight in ((1, net.lstm.weight_ih_l0), (2, net.lstm.weight_hh_l0)):
        stored, scale = tensors[node.input[place]], tensors[node.input[6 + 2 * place]]
        assert stored.dtype == np.int8
        assert np.abs(stored).max() <= 64, "seven bits, for processors that add products in 16"
        assert scale.shape == (1, weight.shape[0]), "one scale per row"
        values = (stored[0] * scale).T.reshape(4, -1)
        gates = weight.detach().numpy().reshape(4, -1)[[0, 3, 1, 2]]  # torch: i f g o, ONNX: i o f g
        steps = np.repeat(scale.reshape(4, -1), weight.shape[1], axis=1)
        assert (np.abs(values - gates) <= 0.51 * steps).all()


def test_fp16_is_the_net_with_its_weights_rounded_to_halves(exported):
    net, out, report = exported
    model = onnx.load(out / FP16.file)
    halves = [tensor for tensor in model.graph.initializer if tensor.data_type == TensorProto.FLOAT16]
    assert len(halves) >= 3
    assert {node.op_type for node in model.graph.node} >= {"LSTM"}, "the arithmetic is that of fp32"
    rounded, _ = settle_copy(net, np.array([0.2, 0.5], np.float32))
    with torch.no_grad():
        for parameter in rounded.parameters():
            if parameter.numel() >= 64:
                parameter.copy_(parameter.half().float())
    step = open_onnx(out / FP16.file, report.manifest.state_names)
    input, controls = torch.from_numpy(programme()[None, None, 300:2300]), torch.tensor([[0.2, 0.5]])
    state = rounded.initial_state(controls)
    with torch.no_grad():
        wanted, _ = rounded(input, controls, state)
        plain, _ = net(input, controls, state)
    output, _ = step(input.numpy(), controls.numpy(), {name: value.numpy() for name, value in state.items()})
    error = np.abs(output - wanted.numpy()).max()
    assert error < 2e-6
    assert np.abs(output - plain.numpy()).max() > 10 * error, "rounding is heard, so this tells the two apart"


def test_values_no_half_can_hold_stay_floats():
    weights = {
        "large": np.full(100, 70000.0),
        "small": np.ones(4),
        "halved": np.linspace(-1, 1, 100),
    }
    graph = onnx.helper.make_graph(
        [], "weights", [], [], [numpy_helper.from_array(v.astype(np.float32), n) for n, v in weights.items()]
    )
    model = onnx.helper.make_model(graph)
    halve_weights(model)
    types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    assert types == {
        "large": TensorProto.FLOAT,
        "small": TensorProto.FLOAT,
        "halved_fp16": TensorProto.FLOAT16,
    }
    assert [list(node.output) for node in model.graph.node] == [["halved"]]


def test_weights_under_a_loop_find_their_halves(tmp_path):
    net = perturbed(EDLSTM(sample_rate=44100, controls=[], hidden_size=16).net)
    FP16.write(graph_of(net, {}), tmp_path / "loop.onnx")
    assert "Loop" in {node.op_type for node in onnx.load(tmp_path / "loop.onnx").graph.node}
    controls, audio = torch.zeros(1, 0), programme()[None, None, 300:500]
    state = net.initial_state(controls)
    with torch.no_grad():
        wanted, _ = net(torch.from_numpy(audio), controls, state)
    state = {name: value.numpy() for name, value in state.items()}
    output, _ = open_onnx(tmp_path / "loop.onnx", list(state))(audio, controls.numpy(), state)
    assert 0 < np.abs(output - wanted.numpy()).max() < 1e-3 * np.abs(wanted.numpy()).max()


@pytest.mark.parametrize("target", ["onnx_int8", "onnx_fp16"])
def test_a_loss_over_the_limit_is_refused_with_its_figure_and_nothing_is_left(target, tmp_path):
    net = recurrent(16)
    wanted = load_targets(["onnx", target])
    with pytest.raises(ExportError, match=rf"{target}.*an ESR of [\d.]+e-\d+ .*at most 1e-15.*No bundle"):
        export_bundle(net, **arguments(net, tmp_path / "bundle"), targets=wanted, max_degradation_esr=1e-15)
    assert list(tmp_path.iterdir()) == []


class Broken(type(FP16)):
    """Writes weights that are not finite."""

    def write(self, graph, path):
        super().write(graph, path)
        model = onnx.load(path)
        for tensor in model.graph.initializer:
            if tensor.data_type == TensorProto.FLOAT16:
                values = numpy_helper.to_array(tensor) * np.float16("nan")
                tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
        path.write_bytes(model.SerializeToString())


def test_a_lossy_target_that_gives_nan_is_refused(tmp_path):
    net = perturbed(FIRNet(0, taps=128))
    with pytest.raises(ExportError, match="an ESR of inf"):
        export_bundle(
            net, **arguments(net, tmp_path / "b"), targets=[OnnxTarget(), Broken()], max_degradation_esr=1.0
        )
    assert list(tmp_path.iterdir()) == []


class Untouched(Net):
    """Fails when it is run or traced: for refusals that come before."""

    def forward(self, input, controls, state):
        raise AssertionError("ran")


def refused_nets():
    gru, lookalike = Untouched(0, receptive_field=None), Untouched(0, receptive_field=1)
    gru.lstm = torch.nn.GRU(1, 8)  # the name of a part says nothing
    lookalike.lstm = torch.nn.Conv1d(8, 8, 3)
    nothing = Untouched(0, receptive_field=1)
    nothing.gain = torch.nn.Parameter(torch.ones(63))
    return {
        "gru": (gru, INT8, "GRU.*onnx_fp16.*LSTM"),
        "convolutions": (lookalike, INT8, "convolutions.*onnx_fp16"),
        "no matrix": (nothing, INT8, "no LSTM layer"),
        "small": (nothing, FP16, "63.*Export without it"),
    }


@pytest.mark.parametrize("case", refused_nets())
def test_what_a_target_cannot_do_is_said_before_the_net_runs(case, tmp_path):
    net, target, says = refused_nets()[case]
    with pytest.raises(ExportError, match=f"{target.name}.*{says}"):
        export_bundle(net, **arguments(net, tmp_path / "bundle"), targets=[OnnxTarget(), target])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("model", [GRU, WaveNet, GreyBox], ids=lambda model: model.__name__)
def test_architectures_without_an_lstm_are_refused_int8(model):
    assert INT8.refusal(model(sample_rate=44100, controls=[]).net) is not None
    assert INT8.refusal(lstm()) is None
    assert FP16.refusal(GRU(sample_rate=44100, controls=[]).net) is None


def test_an_lstm_that_exports_as_a_loop_is_refused_int8(tmp_path):
    net = perturbed(EDLSTM(sample_rate=44100, controls=[]).net)
    with pytest.raises(ExportError, match=r"onnx_int8.*no LSTM operator.*onnx_fp16"):
        export_bundle(net, **arguments(net, tmp_path / "b"), targets=[OnnxTarget(), INT8])
    assert list(tmp_path.iterdir()) == []


class OfOther(type(INT8)):
    """Exports another net of the same shape."""

    def __init__(self, other):
        self.other = other

    def write(self, graph, path):
        weights = {name: value.clone() for name, value in graph.net.net.state_dict().items()}
        graph.net.net.load_state_dict(self.other.state_dict())
        super().write(graph, path)
        graph.net.net.load_state_dict(weights)


def test_another_nets_weights_are_a_loss(tmp_path):
    net, other = recurrent(), perturbed(recurrent(), seed=5)
    with pytest.raises(ExportError, match=r"onnx_int8.*an ESR of"):
        export_bundle(net, **arguments(net, tmp_path / "b"), targets=[OnnxTarget(), OfOther(other)])
    assert list(tmp_path.iterdir()) == []


def test_targets_are_known_by_name():
    assert list(TARGETS)[:4] == ["onnx", "torchscript", "onnx_int8", "onnx_fp16"]
    assert [target.name for target in DEFAULT_TARGETS] == ["onnx", "torchscript"]
    assert [target.name for target in default_targets(lstm())] == ["onnx", "torchscript", "kernel"]
    assert default_targets(FIRNet(0, taps=4)) == DEFAULT_TARGETS, "there is no kernel for it"
    assert all(load_target(name).name == name for name in TARGETS)
    assert len({target.file for target in TARGETS.values()}) == len(TARGETS)
    assert openers().keys() == TARGETS.keys() - {"cpp"}, "nothing that compiles a bundle's code"
    assert [target.name for target in load_targets(["onnx_fp16", "onnx", "onnx"])] == ["onnx_fp16", "onnx"]
    with pytest.raises(TargetNameError, match=r"'onnx_in8'.*onnx, torchscript.*Did you mean onnx_int8\?"):
        load_targets(["onnx", "onnx_in8"])
    with pytest.raises(TargetNameError, match="--targets onnx,torchscript"):
        check_playable(["torchscript"])
    check_playable([target.name for target in DEFAULT_TARGETS])


class ShortBlocks(Net):
    """Takes blocks of no more than 2048 samples, as many as settling feeds it."""

    max_block_samples = 2048

    def __init__(self):
        super().__init__(1, receptive_field=2)
        self.gain = torch.nn.Parameter(torch.tensor(0.9))
        self.register_rest("before", torch.zeros(1, 1))

    def forward(self, input, controls, state):
        path, knobs = self.smoothed(controls, state, input.shape[-1])
        assert torch.jit.is_tracing() or input.shape[-1] <= 2048
        both = torch.cat([state["before"], input], dim=-1)
        return path * input + self.gain * both[..., :-1], {"before": both[..., -1:], **knobs}


@pytest.mark.usefixtures("whole_exports")
def test_no_golden_block_is_longer_than_the_net_takes(tmp_path):
    net = ShortBlocks()
    report = export_bundle(net, **arguments(net, tmp_path / "bundle"))
    assert report.manifest.max_block_samples == 2048
    names = [f"{kind}_{block}" for kind in ("held", "changing") for block in (1, 64, 333, 2048)]
    assert sorted(case.name for case in report.manifest.golden) == sorted([*names, "rows"])
    assert "Longest practical block | 2048" in (tmp_path / "bundle" / "MODEL_CARD.md").read_text()


@pytest.mark.usefixtures("drawn")
def test_pictures_are_small_sealed_shown_and_the_same_every_time(tmp_path):
    net = HopNet(2)
    for name in ("one", "two"):
        export_bundle(net, **arguments(net, tmp_path / name), targets=LOSSY[:1], parts=[Pictures()])
    card = (tmp_path / "one" / "MODEL_CARD.md").read_text()
    manifest = read_manifest(tmp_path / "one")
    for file in PICTURES:
        png = (tmp_path / "one" / file).read_bytes()
        assert png.startswith(b"\x89PNG")
        assert 5_000 < len(png) < 150_000
        assert png == (tmp_path / "two" / file).read_bytes()
        assert file in manifest.files
        assert f"]({file})" in card


def test_a_card_without_pictures_shows_none(exported):
    _, out, _ = exported
    assert "![" not in (out / "MODEL_CARD.md").read_text()


def test_the_card_says_what_is_lost_and_what_is_saved(exported):
    _, out, report = exported
    card = (out / "MODEL_CARD.md").read_text()
    plain = (out / "model.onnx").stat().st_size
    for row in report.manifest.degradation:
        [line] = [
            line for line in card.splitlines() if line.startswith(f"| {row['target']} | {row['esr']:.2g} ")
        ]
        assert f"| {row['size_bytes']} | {row['size_bytes'] / plain:.2f} |" in line
        own, fp32 = (report.manifest.cost[name]["real_time_factor"]["64"] for name in (row["target"], "onnx"))
        assert f"{own / fp32:.2f} at 64" in line


def test_the_card_describes_a_grid(exported, tmp_path):
    _, _, report = exported
    axes = (GridAxis.of(report.manifest.controls[0], (0.0, 0.5, 1.0), (0.0, 5.0, 10.0)),)
    points = tuple(GridPoint((index,), "0" * 64, 2e-7 * (index + 1), 64) for index in range(3))
    error = {
        "reference": "the net",
        "max_esr": 0.0004001,
        "asked": None,
        "cells": [{"cell": [0], "esr": 0.0004}],
    }
    index = GridIndex(
        "sampled", "weights", axes, {"speed": 10.0}, (), ("lstm",), points, 0, 0, error, {}, size_bytes=4321
    )
    (tmp_path / "grid").mkdir()
    (tmp_path / "grid" / "index.json").write_text(index.to_json())
    card = model_card(replace(report.manifest, grid="grid/index.json"), tmp_path)
    for said in (
        "3, sampled",
        "weights are interpolated",
        "4321 bytes",
        "6e-07",
        "0.0004",
        "| drive | dB | 0 5 10 |",
    ):
        assert said in card
    assert "Held: speed | 10" in card
    assert "Error: max_esr | 0.0004 |" in card
    assert "asked" not in card


def test_a_lossy_target_does_not_slip_through_the_parity_gate_of_exact_ones(tmp_path):
    class Exact(type(FP16)):
        """Claims to be the net to float tolerance."""

        lossy = False

    net = recurrent(16)
    with pytest.raises(ParityError, match="onnx_fp16"):
        export_bundle(net, **arguments(net, tmp_path / "b"), targets=[OnnxTarget(), Exact()])


def test_a_stream_plays_a_lossy_target_by_name(tmp_path):
    net = lstm(1)
    targets = load_targets(["onnx", "onnx_int8", "onnx_fp16"])
    report = export_bundle(net, **arguments(net, tmp_path / "bundle"), targets=targets)
    losses = {row["target"]: row for row in report.manifest.degradation}
    audio = programme(4000, seed=1)
    exact = Stream(tmp_path / "bundle").process(audio)
    for engine in ("onnx_int8", "onnx_fp16"):
        output = Stream(tmp_path / "bundle", engine=engine).process(audio)
        esr = np.square(output - exact).sum() / np.square(exact).sum()
        assert 0 < esr < 10 * losses[engine]["esr"]
