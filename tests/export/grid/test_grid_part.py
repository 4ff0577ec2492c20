"""A sampled grid is the conditioned net at its points, says what it is between them, or is not written."""

import json
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from export.nets import RATE_HZ, arguments, knobs, lstm, perturbed, programme
from safetensors.numpy import load_file
from torch import nn

from tapezoo import registry
from tapezoo.bundle import Manifest
from tapezoo.bundle.grid.index import read_grid_index
from tapezoo.bundle.grid.replay import verify_grid
from tapezoo.controls import control_vector
from tapezoo.export import ExportError, ParityError, build, export_bundle, settle_copy
from tapezoo.export.errors import GridError
from tapezoo.export.golden import golden_input
from tapezoo.export.grid import GridPart, parse_axes, parse_held
from tapezoo.export.grid.gate import check_steady
from tapezoo.export.grid.sample import Sample, excerpt_of, play_rows
from tapezoo.export.targets.onnx import OnnxTarget
from tapezoo.measure.playing import play
from tapezoo.models.lstm import LSTMNet
from tapezoo.models.tcn import TCNNet
from tapezoo.net import Net, UnfoldableError
from tapezoo.runtime import verify
from tapezoo.runtime.grid.graph import GridGraph
from tapezoo.testing import perturbed as untrained


def part(net, text, *held, **more):
    controls = knobs(net)
    axes = parse_axes(text, controls)
    return GridPart(axes, parse_held(held, axes, controls), **more)


def export(net, out, *parts):
    return export_bundle(net, **arguments(net, out), targets=[OnnxTarget()], parts=parts)


def write(net, out, grid):
    """The part alone, without the bundle around it: the index it wrote."""
    out.mkdir()
    controls = knobs(net)
    frozen, settle_samples = settle_copy(net, np.array(control_vector(controls, {}), dtype=np.float32))
    manifest = Manifest(
        "Small", RATE_HZ, tuple(controls), None, 0, 1, settle_samples, (), {}, (), {}, {}, (), {}, {}
    )
    manifest = grid.write(out, frozen, manifest, golden_input(programme(), 1), lambda step: None)
    return read_grid_index(out, manifest)


def small_tcn(num_controls=2, seed=1):
    """Its controls go through an embedding with a bend: nothing between points is exact."""
    torch.manual_seed(seed)
    net = TCNNet(
        num_controls,
        channels=4,
        num_blocks=2,
        kernel_size=3,
        dilation_growth=4,
        conditioning="film",
        activation="tanh",
        cond_dim=4,
    )
    return perturbed(net, scale=0.3)


@pytest.fixture(scope="module")
def tcn(tmp_path_factory):
    out = tmp_path_factory.mktemp("grid") / "tcn"
    net = small_tcn()
    report = export(net, out, part(net, "speed=1:100:3:log,drive=0/4/10"))
    return net, out, report, read_grid_index(out, report.manifest)


@pytest.fixture(scope="module")
def excerpt():
    return excerpt_of(golden_input(programme(), 1)[0], 1)


def grid_output(out, number, audio):
    """One point, played by onnxruntime and safetensors alone, in one block."""
    session = onnxruntime.InferenceSession(out / "grid" / "model.onnx", providers=["CPUExecutionProvider"])
    tensors = load_file(out / "grid" / "weights.safetensors")
    feeds = {"input": audio[None, None].astype(np.float32)}
    for name, stacked in tensors.items():
        kind, _, own = name.partition("/")
        feeds |= (
            {f"weight_{own}": stacked[number]}
            if kind == "weight"
            else {f"state_{own}": stacked[number][None]}
        )
    return session.run(["output"], feeds)[0][0, 0]


def test_every_point_is_the_conditioned_net_held_there(tcn, excerpt):
    net, out, _, index = tcn
    speeds, drives = [0, 0.5, 1], [0, 0.4, 1]
    assert [(axis.control, list(axis.positions)) for axis in index.axes] == [
        ("speed", speeds),
        ("drive", drives),
    ]
    heard = []
    for number, (speed, drive) in enumerate((s, d) for s in speeds for d in drives):
        expected = play(net.eval(), excerpt[None], [drive, speed])[0]
        heard.append(expected)
        error = np.abs(grid_output(out, number, excerpt) - expected).max()
        assert error <= 2e-6
        assert index.points[number].max_abs_error <= 2e-6
    assert min(np.abs(one - heard[0]).max() for one in heard[1:]) > 1e-3  # they are not all the same


def test_the_stated_error_is_that_of_interpolated_weights(tcn):
    excerpt = golden_input(programme(), 1, build.MOST_SAMPLES)[0]  # as short as the tests' exports
    net, _, _, index = tcn
    cell = next(row for row in index.error["cells"] if row["cell"] == [0, 1])
    assert cell["middle"] == pytest.approx({"speed": 10**0.5, "drive": 7.0})
    folded = [net.eval().folded(torch.tensor([drive, speed])) for speed in (0.0, 0.5) for drive in (0.4, 1.0)]
    mean = folded[0]
    states = [one.state_dict() for one in folded]
    mean.load_state_dict({name: sum(state[name] for state in states) / 4 for name in states[0]})
    wanted = play(net, excerpt[None], [0.7, 0.25])[0]
    error = np.square(play(mean, excerpt[None], [])[0] - wanted).sum() / np.square(wanted).sum()
    assert error > 1e-8
    assert cell["esr"] == pytest.approx(error, rel=1e-3)


def test_the_report_of_the_error_is_whole(tcn):
    _, _, _, index = tcn
    errors = [row["esr"] for row in index.error["cells"]]
    assert sorted(row["cell"] for row in index.error["cells"]) == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert errors == sorted(errors, reverse=True)
    assert index.error["max_esr"] == errors[0]
    assert index.error["mean_esr"] == pytest.approx(np.mean(errors))
    assert index.error["asked"] is index.error["reached"] is None


def test_interpolated_outputs_have_the_error_of_the_mean_of_the_corners(tmp_path, excerpt):
    net = small_tcn(1)
    index = write(net, tmp_path / "b", part(net, "drive=0/10", rule="outputs"))
    low, middle, high = (play(net.eval(), excerpt[None], [position])[0] for position in (0, 0.5, 1))
    error = np.square((low + high) / 2 - middle).sum() / np.square(middle).sum()
    assert index.rule == "outputs"
    assert index.error["max_esr"] == pytest.approx(error, rel=1e-3)
    assert error > 1e-8


def test_weights_that_follow_the_controls_in_straight_lines_are_exact_between_points(tmp_path):
    net = lstm(2)
    index = write(net, tmp_path / "b", part(net, "drive=0/10,speed=1/100"))
    assert index.error["max_esr"] < 1e-11
    # concatenated controls end in one bias: the rest of the net is in the graph once
    assert index.weights == ("lstm_LSTM_3",)
    assert index.size_bytes == (8 * 8 + 2 * 8) * 4


def test_the_index_says_what_was_measured(tcn):
    _, out, report, index = tcn
    assert report.manifest.grid == "grid/index.json"
    assert {"grid/index.json", "grid/model.onnx", "grid/weights.safetensors", "grid/golden.npz"} < set(
        report.manifest.files
    )
    assert (index.kind, index.rule, index.held) == ("sampled", "weights", {})
    for cost in (index.cost, index.cost["one_point_alone"], index.cost["conditioned"]):
        assert set(cost["real_time_factor"]) == {"64", "2048"}
        assert all(factor > 0 for factor in cost["real_time_factor"].values())
    assert report.manifest.cost["grid"]["real_time_factor"] == index.cost["real_time_factor"]
    tensors = load_file(out / "grid" / "weights.safetensors")
    assert index.size_bytes * 9 == sum(array.nbytes for array in tensors.values())
    assert [name for name in tensors if name.startswith("rest/")] == [f"rest/{t.name}" for t in index.state]
    model = onnx.load(out / "grid" / "model.onnx")
    assert {p.key: p.value for p in model.metadata_props} == {
        "sample_rate": str(RATE_HZ),
        "architecture": "Small",
    }
    assert verify(out).manifest == report.manifest


def test_a_control_without_an_axis_is_held_where_it_was_put(tmp_path, excerpt):
    net = lstm(2)
    index = write(net, tmp_path / "b", part(net, "drive=0/10", "speed=100"))
    assert index.held == {"speed": 100.0}
    expected = play(net.eval(), excerpt[None], [1.0, 1.0])[0]
    assert np.abs(grid_output(tmp_path / "b", 1, excerpt) - expected).max() < 2e-6


def test_refining_reaches_the_error_that_was_asked_for(tmp_path):
    net = small_tcn(1)
    asked = write(net, tmp_path / "coarse", part(net, "drive=0/10")).error["max_esr"] / 20
    index = write(net, tmp_path / "fine", part(net, "drive=0/10", max_error=asked))
    assert len(index.points) > 2
    assert index.error["max_esr"] <= asked
    assert (index.error["asked"], index.error["reached"]) == (asked, True)
    again = write(net, tmp_path / "again", replace(part(net, "drive=0/10"), axes=index.axes))
    assert again.error["cells"] == index.error["cells"]  # what is remembered while refining is still right


def test_refining_stops_at_the_limit_and_says_so(tmp_path):
    net = small_tcn(1)
    index = write(net, tmp_path / "b", part(net, "drive=0/10", max_error=1e-14, max_points=3))
    assert len(index.points) == 3
    assert index.error["reached"] is False
    assert index.error["max_esr"] > 1e-14


class Traced(OnnxTarget):
    def write(self, graph, path):
        raise AssertionError("traced")


def test_conditioning_that_hears_the_audio_is_refused_before_anything_is_traced(tmp_path, monkeypatch):
    net = perturbed(LSTMNet(1, 4, 1, 1, 100.0, conditioning="temporal_film"))
    monkeypatch.setattr(OnnxTarget, "write", Traced.write)
    with pytest.raises(UnfoldableError, match="depends on the audio"):
        part(net, "drive=0/10").check(net)
    with pytest.raises(UnfoldableError, match="depends on the audio"):
        write(net, tmp_path / "b", part(net, "drive=0/10"))
    assert list((tmp_path / "b").iterdir()) == []


class Gain(Net):
    """`(c + 0.5) x`, folded well or not."""

    def __init__(self, num_controls=1):
        super().__init__(num_controls, receptive_field=1)
        self.gain = nn.Parameter(torch.tensor(0.5))

    def forward(self, input, controls, state):
        if not self.num_controls:
            return self.gain * input, {}
        path, knobs = self.smoothed(controls, state, input.shape[-1])
        return (self.gain + path) * input, knobs

    def folded(self, controls):
        net = self.without_knobs()
        net.gain = nn.Parameter(self.gain + controls[0])
        return net


class WrongAtOnePoint(Gain):
    def folded(self, controls):
        net = super().folded(controls)
        if float(controls[0]) == 0.5:
            net.gain.data *= 1.001
        return net


class OtherOperations(Gain):
    def folded(self, controls):
        return super().folded(controls) if float(controls[0]) < 0.7 else Doubled(0)


class Doubled(Gain):
    def forward(self, input, controls, state):
        return self.gain * input + self.gain * input * 2, {}


@pytest.mark.parametrize(
    ("net", "error", "says"),
    [
        (WrongAtOnePoint(), ParityError, r"the grid's point at drive = 5: found an error of .* folded"),
        (OtherOperations(), GridError, r"point 2.*operations"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Net) else None,
)
def test_a_net_that_folds_wrongly_is_refused_and_nothing_is_left(net, error, says, tmp_path):
    with pytest.raises(error, match=says):
        export(net, tmp_path / "b", part(net, "drive=0:10:3"))
    assert list(tmp_path.iterdir()) == []


def test_a_graph_that_is_not_the_folded_net_is_refused(tmp_path, monkeypatch):
    honest = OnnxTarget.write

    def lying(self, graph, path):
        if path.name == "point.onnx":
            graph.net.net.gain.data.mul_(1.001)
        honest(self, graph, path)
        if path.name == "point.onnx":
            graph.net.net.gain.data.div_(1.001)

    monkeypatch.setattr(OnnxTarget, "write", lying)
    with pytest.raises(ParityError, match="in the grid's graph"):
        write(Gain(), tmp_path / "b", part(Gain(), "drive=0:10:3"))


class Chaos(Gain):
    """The logistic map: at a control of 1 every rounding doubles with each sample."""

    def __init__(self, num_controls=1):
        super().__init__(num_controls)
        self.receptive_field = None
        self.register_rest("level", torch.full((1,), 0.3))

    def forward(self, input, controls, state):
        rate, knobs = self.gain, {}
        if self.num_controls:
            path, knobs = self.smoothed(controls, state, input.shape[-1])
            rate = self.gain + path[:, 0, :1]
        level, levels = state["level"], []
        for _ in range(input.shape[-1]):
            level = (2.45 + rate) * level * (1 - level)
            levels.append(level)
        return input + torch.stack(levels, dim=-1), {"level": level, **knobs}


def test_a_net_that_is_not_steady_at_a_point_is_told_from_a_fold_that_is_wrong(tmp_path):
    net = Chaos()
    sample = Sample((1.0,), net.folded(torch.ones(1)), None, {}, 0, np.zeros(0))
    excerpt = golden_input(programme(), 1)[0][:500]
    nothing = torch.zeros(1, 0)
    heard = play_rows(sample.folded, excerpt, nothing, sample.folded.initial_state(nothing))[0]
    with pytest.raises(ExportError, match="drive = 10"):
        check_steady(replace(sample, heard=heard), excerpt, "the grid's point at drive = 10")
    tame = replace(sample, folded=net.folded(torch.zeros(1)))
    heard = play_rows(tame.folded, excerpt, nothing, tame.folded.initial_state(nothing))[0]
    check_steady(replace(tame, heard=heard), excerpt, "the grid's point at drive = 0")


class Pole(Gain):
    """`x / g` with g = 1 or -1: the mixed weight in the middle is 0."""

    def forward(self, input, controls, state):
        if not self.num_controls:
            return input / self.gain, {}
        path, knobs = self.smoothed(controls, state, input.shape[-1])
        return torch.where(path < 0.5, input, -input), knobs

    def folded(self, controls):
        net = self.without_knobs()
        net.gain = nn.Parameter(torch.tensor(1.0 if float(controls[0]) < 0.5 else -1.0))
        return net


def test_a_grid_that_does_not_play_between_its_points_is_refused(tmp_path):
    with pytest.raises(GridError, match="drive from 0 to 10"):
        write(Pole(), tmp_path / "b", part(Pole(), "drive=0/10"))


def test_more_points_than_allowed_are_refused_before_work():
    with pytest.raises(GridError, match="5 points"):
        part(Gain(), "drive=0:10:5", max_error=1e-3, max_points=4).check(Gain())


def test_the_net_is_left_as_it_was(tmp_path):
    net = lstm(1)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    write(net, tmp_path / "b", part(net, "drive=0/10"))
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_the_excerpt_is_pieces_from_all_over_in_whole_hops():
    audio = np.arange(100_000, dtype=np.float32)
    excerpt = excerpt_of(audio, 64)
    assert len(excerpt) == 1 << 15
    assert excerpt[0] == 0
    assert excerpt[-1] == 99_999
    assert len(np.flatnonzero(np.diff(excerpt) != 1)) == 7
    assert len(excerpt_of(audio[:1000], 64)) == 960


@pytest.mark.slow
@pytest.mark.parametrize("name", [found.name for found in registry.registrations("models")])
def test_every_architecture_of_the_zoo_makes_a_grid_that_verifies(name, tmp_path):
    model = untrained(registry.load("models", name), [{"name": "drive", "max": 10}, {"name": "speed"}])
    grid = GridPart(parse_axes("drive=0/10", model.controls), {"speed": 0.5})
    given = {**arguments(model.net, tmp_path / "b"), "controls": model.controls}
    report = export_bundle(model.net, **given, targets=[OnnxTarget()], parts=[grid])
    replayed = verify_grid(tmp_path / "b", report.manifest, GridGraph)
    assert len(replayed.results) == 3
    assert all(result.passed for result in replayed.results)
    index = read_grid_index(tmp_path / "b", report.manifest)
    assert index.weights
    assert np.isfinite(index.error["max_esr"])


def test_the_index_is_plain_json(tcn):
    _, out, _, _ = tcn
    document = json.loads((out / "grid" / "index.json").read_text())
    assert document["schema_version"] == 2
    assert len(document["points"]) == 9
