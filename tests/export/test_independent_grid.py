"""A grid out of checkpoints trained apart: it plays what they play, and says how far the machine is between them."""

import json

import numpy as np
import pytest
import soundfile
import torch
import yaml

from tapezoo.bundle import verify_bundle
from tapezoo.bundle.grid.index import read_grid_index
from tapezoo.controls import ControlError
from tapezoo.devices import device
from tapezoo.errors import OutputExistsError
from tapezoo.export.errors import GridError
from tapezoo.export.grid.checkpoints import build_grid, index_file, read_grid_file
from tapezoo.export.grid.checkpoints.build import PREROLL_LIMIT_SAMPLES
from tapezoo.export.trained import programme
from tapezoo.models.fir import FIR
from tapezoo.models.lstm import LSTM
from tapezoo.play import settle
from tapezoo.registry import RegistrationError
from tapezoo.runtime import Stream
from tapezoo.runtime.grid.graph import GridGraph

RATE = 8000
GAIN = {"name": "gain", "min": 0.0, "max": 20.0, "default": 10.0, "unit": "dB"}
TONE = {"name": "tone", "min": 1.0, "max": 100.0, "default": 10.0, "curve": "log"}


def save(model, path, val_esr=0.01, **provenance):
    path.parent.mkdir(parents=True, exist_ok=True)
    own = {
        "architecture": type(model).__name__,
        "arguments": dict(model.hparams),
        "metrics": {"val_esr": val_esr},
        "provenance": {"dataset_hash": path.parent.name, **provenance},
    }
    torch.save({"tapezoo": own, "state_dict": model.state_dict()}, path)
    return model


def lstm(seed, **changes):
    """Weights as after a training, each seed with hidden coordinates of its own."""
    torch.manual_seed(seed)
    model = LSTM(**{"hidden_size": 3, "memory_samples": 30.0, "sample_rate": RATE, **changes})
    with torch.no_grad():
        for parameter in model.net.parameters():
            parameter.add_(torch.randn(parameter.shape) * 0.3)
    return model


def constant(gain):
    """A net that is a plain gain."""
    model = FIR(taps=2, sample_rate=RATE)
    with torch.no_grad():
        [taps] = model.net.parameters()
        taps.mul_(gain)  # untrained, it is the identity
    return model


def write(folder, points, controls=(GAIN,), **content):
    """Writes index.yaml: points are (setting, path)."""
    entries = [{"at": at, "checkpoint": path} for at, path in points]
    path = folder / "index.yaml"
    path.write_text(yaml.safe_dump({"controls": list(controls), "points": entries, **content}))
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Three nets along one control, and their bundle."""
    folder = tmp_path_factory.mktemp("trained")
    points = [({"gain": gain}, f"runs/{gain}/best.ckpt") for gain in (0, 5, 20)]
    models = [save(lstm(seed), folder / path, 0.01 * (seed + 1)) for seed, (_, path) in enumerate(points)]
    index = write(folder, points[1:] + points[:1])  # in any order
    report = build_grid(read_grid_file(index), folder / "bundle")
    return folder, models, report


def noise(samples=4000):
    return (np.random.default_rng(0).standard_normal(samples) * 0.3).astype(np.float32)


def alone(model, signal):
    """The checkpoint's net, from its rest: the reference."""
    net, none = model.net, torch.zeros(1, 0)
    state, _ = settle(net, none)
    with torch.no_grad():
        return net(torch.from_numpy(signal).reshape(1, 1, -1), none, state)[0][0, 0].numpy()


def test_at_its_points_it_plays_the_checkpoints_and_between_them_their_mix(trained):
    folder, models, _ = trained
    signal = noise()
    heard = [alone(model, signal) for model in models]
    stream = Stream(folder / "bundle", engine="grid")
    for gain, wanted in [
        (0, heard[0]),
        (5, heard[1]),
        (20, heard[2]),
        (2.5, (heard[0] + heard[1]) / 2),
        (17, 0.2 * heard[1] + 0.8 * heard[2]),
    ]:
        stream.reset()
        np.testing.assert_allclose(stream.process(signal, {"gain": gain}), wanted, atol=1e-5)
    assert np.abs(heard[0] - heard[1]).max() > 0.1


def test_a_point_that_comes_in_has_heard_the_past(trained):
    folder, models, _ = trained
    signal = noise(12000)
    stream = Stream(folder / "bundle")
    stream.process(signal[:6000], {"gain": 0})
    heard = np.concatenate([stream.process(block, {"gain": 20}) for block in np.split(signal[6000:], 60)])
    wanted = alone(models[2], signal)[6000:]
    np.testing.assert_allclose(heard[1100:], wanted[1100:], atol=1e-5)
    assert np.abs(heard[:900] - wanted[:900]).max() > 0.01  # it came from somewhere else


def test_the_index_says_what_it_is_made_of_and_what_was_measured(trained):
    folder, _, report = trained
    index = read_grid_index(folder / "bundle", report.manifest)
    assert (index.kind, index.rule, index.shape, index.held) == ("independent", "outputs", (3,), {})
    assert index.axes[0].values == (0.0, 5.0, 20.0)
    assert index.axes[0].positions == (0.0, 0.25, 1.0)
    assert [point.source.split()[0] for point in index.points] == [
        f"runs/{gain}/best.ckpt" for gain in (0, 5, 20)
    ]
    assert 0 < max(point.max_abs_error for point in index.points) < 1e-4
    assert index.preroll_samples == min(max(p.settle_samples for p in index.points), PREROLL_LIMIT_SAMPLES)
    assert index.error["max_esr"] is None
    assert index.error["reference"] == "not measured"
    assert set(index.cost["real_time_factor"]) == {"64", "2048"}
    assert report.manifest.cost["grid"]["real_time_factor"] == index.cost["real_time_factor"]
    assert report.manifest.targets == {}
    assert report.manifest.metrics["val_esr"] == pytest.approx(0.03)  # of the worst point
    assert report.manifest.metrics["val_esr_mean"] == pytest.approx(0.02)
    assert report.grid.max_abs_error < 1e-4
    assert len(report.grid.results) == 4
    card = (folder / "bundle" / "MODEL_CARD.md").read_text()
    assert "| grid |" in card  # its speed
    assert not any(said in card for said in ("rest_state.npz", "## Files", "## Parity"))  # which it has not
    assert verify_bundle(folder / "bundle", {}, open_grid=GridGraph).seal_sha256 == report.seal_sha256


def test_a_grid_names_a_data_set_only_if_every_point_does(trained, tmp_path):
    _, _, report = trained
    assert len(report.manifest.provenance["dataset_hash"]) == 64
    save(constant(0.2), tmp_path / "a" / "best.ckpt")
    save(constant(1.0), tmp_path / "b" / "best.ckpt", dataset_hash=None)
    index = write(tmp_path, [({"gain": 0}, "a"), ({"gain": 20}, "b")])
    assert build_grid(read_grid_file(index), tmp_path / "bundle").manifest.provenance["dataset_hash"] == ""


def test_the_error_between_points_is_that_of_recordings_made_there(tmp_path):
    # gains of 0.2 and 1 at the points: between them 0.6 is heard, where the machine has 0.5
    for name, gain in (("a", 0.2), ("b", 1.0)):
        save(constant(gain), tmp_path / name / "best.ckpt")
    dry = noise(8000)
    soundfile.write(tmp_path / "dry.wav", dry, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "wet.wav", 0.5 * dry, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "end.wav", 0.8 * dry, RATE, subtype="FLOAT")
    recordings = [
        {"at": {"gain": 10}, "dry": "dry.wav", "wet": "wet.wav"},
        {"at": {"gain": 20}, "dry": "dry.wav", "wet": "end.wav"},
    ]
    points = [({"gain": 0}, "a"), ({"gain": 20}, "b")]
    index = write(tmp_path, points, reference={"recordings": recordings})
    report = build_grid(read_grid_file(index), tmp_path / "bundle")
    error = read_grid_index(tmp_path / "bundle", report.manifest).error
    worst, other = error["cells"]
    assert worst["esr"] == pytest.approx((0.2 / 0.8) ** 2, rel=1e-4)
    assert (worst["middle"], worst["cell"]) == ({"gain": 20.0}, [0])
    assert other["esr"] == pytest.approx((0.1 / 0.5) ** 2, rel=1e-4)
    assert other["truncated_esr"] == pytest.approx((0.3 / 0.5) ** 2, rel=1e-4)
    assert error["max_esr"] == worst["esr"]
    assert error["mean_esr"] == pytest.approx((0.0625 + 0.04) / 2, rel=1e-4)


def test_the_error_between_points_is_that_of_the_virtual_device_there(tmp_path):
    # the points are no preamps: what they make of the sound is known, and so is its distance to the device's
    for path, gain in (("a", 0.5), ("b", 1.5)):
        save(constant(gain), tmp_path / path / "best.ckpt")
    points = [({"gain": 0}, "a"), ({"gain": 20}, "b")]
    index = write(tmp_path, points, reference={"device": "preamp"})
    report = build_grid(read_grid_file(index), tmp_path / "bundle")
    [row] = read_grid_index(tmp_path / "bundle", report.manifest).error["cells"]
    dry = programme(RATE)
    wet = device("preamp").render(dry, RATE, {"gain": 10.0}, 0)
    dry, wet = dry[RATE // 4 :].astype(float), wet[RATE // 4 :].astype(float)
    assert row["esr"] == pytest.approx(np.square(wet - 1.0 * dry).sum() / np.square(wet).sum(), rel=1e-4)
    assert row["middle"] == {"gain": 10.0}
    assert row["point_esr"] > 0


def test_two_controls_are_a_product_of_axes_with_curves(tmp_path):
    points = []
    for gain in (0, 20):
        for tone in (1, 10, 100):
            path = f"{gain}-{tone}"
            save(constant(gain + tone / 100), tmp_path / path / "best.ckpt")
            points.append(({"gain": gain, "tone": tone}, path))
    file = read_grid_file(write(tmp_path, points[::-1], [GAIN, TONE]))
    assert [axis.positions for axis in file.axes] == [(0.0, 1.0), (0.0, 0.5, 1.0)]
    build_grid(file, tmp_path / "bundle")
    stream = Stream(tmp_path / "bundle")
    signal = noise(100)
    wanted = 10 + (0.1 + 1.0) / 2  # halfway between 10 and 100 in ratios
    heard = stream.process(signal, {"gain": 10, "tone": 10**1.5})
    np.testing.assert_allclose(heard, wanted * signal, rtol=1e-5)


def nan(model):
    with torch.no_grad():
        next(model.net.parameters()).view(-1)[0] = float("nan")
    return model


FAULTS = [
    (lambda: None, "no such file"),
    (lambda: nan(lstm(0)), "NaN"),
    (lambda: lstm(0, hidden_size=4), r"weights .*\(1, 4\).*\(1, 3\)"),
    (lambda: lstm(0, sample_rate=44100), "44100 Hz.*8000 Hz"),
    (lambda: constant(1.0), "architecture FIR.*LSTM"),
    (lambda: lstm(0, controls=[GAIN]), "1 controls"),
]


@pytest.mark.parametrize(("model", "words"), FAULTS)
def test_a_point_at_fault_is_named_with_its_file_and_nothing_is_written(tmp_path, model, words):
    save(lstm(0), tmp_path / "good" / "best.ckpt")
    if made := model():
        save(made, tmp_path / "bad" / "best.ckpt")
    index = write(tmp_path, [({"gain": 0}, "good"), ({"gain": 20}, "bad")])
    with pytest.raises(GridError, match=words) as caught:
        build_grid(read_grid_file(index), tmp_path / "bundle", progress=lambda step: None)
    assert "gain=20 dB" in str(caught.value)
    assert "bad" in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith((".", "bundle"))) == []


@pytest.mark.parametrize(
    ("points", "words"),
    [
        ([({"gain": 0}, "a"), ({"gain": 0.0}, "b")], "gain=0 dB: found b beside a"),
        ([({"gain": 0}, "a")], "single value of 'gain'"),
        ([({"gain": 0}, "a"), ({"gain": 21}, "b")], "point 2 .*21"),
        ([({"gain": 0}, "a"), ({"drive": 1}, "b")], "point 2 .*drive"),
        ([({"gain": 0}, "a"), ({}, "b")], "point 2 without gain"),
        ([({"gain": 0}, "a"), ({"gain": "loud"}, "b")], "point 2 .*loud"),
        ([({"gain": 0}, "a"), ({"gain": 20}, 7)], "point 2 .*7"),
        ([({"gain": gain}, "a") for gain in range(6)], "6 points"),
    ],
)
def test_points_that_make_no_grid_are_refused_before_any_file_is_opened(tmp_path, monkeypatch, points, words):
    monkeypatch.setattr(index_file, "POINT_LIMIT", 5)
    with pytest.raises(GridError, match=words):
        read_grid_file(write(tmp_path, points))


def test_missing_points_of_the_product_are_named(tmp_path):
    points = [({"gain": gain, "tone": tone}, "a") for gain in (0, 20) for tone in (1, 10)][:-1]
    with pytest.raises(GridError, match="no checkpoint at gain=20 dB, tone=10"):
        read_grid_file(write(tmp_path, points, [GAIN, TONE]))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "read"),
        ("points: [", "not YAML"),
        ("[1, 2]", "keys controls, points"),
        ("the secret content of a text", "the file with text; expected the keys controls, points"),
        ("controls: []\npoints: []", "a list under controls"),
        (json.dumps({"controls": [GAIN], "points": [{"at": {"gain": 0}}]}), "keys at, checkpoint"),
        (json.dumps({"controls": [GAIN], "points": [], "extra": 1}), "extra"),
        (json.dumps({"controls": [{**GAIN, "min": "x"}], "points": [1]}), "'x'"),
        (
            json.dumps({"controls": [{**GAIN, "max": "1e999"}], "points": [1]}).replace('"1e999"', ".inf"),
            "inf",
        ),
        (json.dumps({"controls": [GAIN, GAIN], "points": [1]}), "gain, gain"),
        ("controls: [1]\npoints: [1]\npoints: [2]", "the key points twice"),
        ("controls: [1]\npoints: [{at: {gain: 0, gain: 5}}]", "the key gain twice"),
        ("controls: 2026-99-99\npoints: [1]", "a list under controls"),
        ("controls: !!int x\npoints: [1]", "which YAML takes for int"),
        ("controls: !!timestamp x\npoints: [1]", "the tag"),
        ("controls: [{min: 9:00}]\npoints: [1]", "which YAML takes for 540"),
        (
            json.dumps({"controls": [GAIN], "points": [{"at": {"gain": 10**400}, "checkpoint": "x"}]}),
            "too large for a float",
        ),
        (json.dumps({"controls": [{**GAIN, "name": ""}], "points": [1]}), "called ''"),
        (json.dumps({"controls": [{**GAIN, "name": "a\u001b[31m"}], "points": [1]}), "visible"),
        (json.dumps({"controls": [{**GAIN, "unit": "d\nB"}], "points": [1]}), "visible"),
        (
            json.dumps({"controls": [{**GAIN, "min": -(10**308), "max": 10**308}], "points": [1]}),
            "a finite range",
        ),
    ],
)
def test_a_file_that_is_no_index_is_refused(tmp_path, text, words):
    path = tmp_path / "index.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(GridError, match=words):
        read_grid_file(path)


def recording(folder, rate=RATE, dry=4000, wet=4000):
    soundfile.write(folder / "dry.wav", noise(dry), rate)
    soundfile.write(folder / "wet.wav", noise(wet), rate)
    return {"recordings": [{"at": {"gain": 5}, "dry": "dry.wav", "wet": "wet.wav"}]}


@pytest.mark.parametrize(
    ("reference", "error", "words"),
    [
        (lambda _: {"device": "chorus"}, RegistrationError, "chorus"),
        (lambda _: {"device": "tape"}, ControlError, "gain"),
        (lambda _: {"device": "preamp", "settings": {"gain": 1}}, GridError, "gain"),
        (lambda folder: recording(folder, rate=44100), GridError, "44100 Hz"),
        (lambda folder: recording(folder, wet=3999), GridError, "3999 samples"),
        (lambda folder: recording(folder, dry=100, wet=100), GridError, "100 samples"),
    ],
)
def test_a_reference_that_cannot_be_measured_against_is_refused(tmp_path, reference, error, words):
    for name in "ab":
        save(constant(1.0), tmp_path / name / "best.ckpt")
    points = [({"gain": 0}, "a"), ({"gain": 10}, "b")]
    index = write(tmp_path, points, reference=reference(tmp_path))
    steps = []
    with pytest.raises(error, match=words):
        build_grid(read_grid_file(index), tmp_path / "bundle", progress=steps.append)
    assert len(steps) <= 1  # no work but reading


def test_a_bundle_that_is_there_is_not_replaced_unasked(trained):
    folder, _, _ = trained
    with pytest.raises(OutputExistsError):
        build_grid(read_grid_file(folder / "index.yaml"), folder / "bundle")
