"""A bundle renders what its net renders: at any rate, with latency, hops and moving controls."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from export.nets import RATE_HZ, HopNet, Waveshaper, arguments, lstm
from torch import Tensor
from tracking.stores import make_bundles

from tapezoo.bundle import shipped_bundles
from tapezoo.cli import main
from tapezoo.controls import Control, control_vector
from tapezoo.data.errors import SoundFileError
from tapezoo.export import export_bundle
from tapezoo.net import Net, State
from tapezoo.render.automation import Automation, Constant, ControlPath
from tapezoo.render.bundles import BundlePlayer
from tapezoo.render.demo import SAFE_PEAK, made_up_passage, matching_gains, one_after_another, render_demo
from tapezoo.render.files import render_file
from tapezoo.render.nets import render
from tapezoo.runtime import Stream


class LateGain(Net):
    """y[n] = control * x[n - 5], in hops of 4: what a moving control does shows where it arrives."""

    hop_samples, latency_samples = 4, 5

    def __init__(self) -> None:
        super().__init__(num_controls=1, receptive_field=7, smoothing_samples=1)
        self.gain = torch.nn.Parameter(torch.tensor(1.0))
        self.register_rest("past", torch.zeros(1, 6))

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        path, knobs = self.smoothed(controls, state, input.shape[2])
        whole = torch.cat((state["past"], input), dim=2)
        samples = input.shape[2]
        return self.gain * path * whole[:, :, 1 : 1 + samples], {"past": whole[:, :, samples:], **knobs}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Net, Path]]:
    """Name -> (net, bundle)."""
    hop, folder = HopNet(), tmp_path_factory.mktemp("hop") / "bundle"
    export_bundle(hop, **arguments(hop, folder))
    late, late_folder = LateGain(), tmp_path_factory.mktemp("late") / "bundle"
    export_bundle(late, **arguments(late, late_folder))
    knobs = make_bundles(tmp_path_factory)["knobs"]
    return {"knobs": (lstm(2, taps=16), knobs), "hop": (hop, folder), "late": (late, late_folder)}


def noise(samples: int, channels: int = 2) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.5, 0.5, (samples, channels))


def both(net: Net, bundle: Path, path: ControlPath, source: Path) -> tuple[np.ndarray, np.ndarray]:
    """The file through the net, and through the bundle."""
    folder = source.parent
    options = {"mix": 0.8, "output_gain_db": -3.0, "overwrite": True}
    render(net, RATE_HZ, path, source, folder / "net.wav", **options)  # type: ignore[arg-type]
    report = render_file(BundlePlayer(Stream(bundle)), path, source, folder / "bundle.wav", **options)  # type: ignore[arg-type]
    assert report.net_sample_rate == RATE_HZ
    first, second = (soundfile.read(folder / f"{name}.wav", always_2d=True)[0] for name in ("net", "bundle"))
    return first, second


@pytest.mark.parametrize("rate_hz", [RATE_HZ, 48000])
@pytest.mark.parametrize("name", ["knobs", "hop", "late"])
def test_a_bundle_renders_what_its_net_renders(
    name: str, rate_hz: int, bundles: dict[str, tuple[Net, Path]], tmp_path: Path
) -> None:
    net, bundle = bundles[name]
    soundfile.write(tmp_path / "in.wav", noise(9001), rate_hz, subtype="FLOAT")
    times_s = np.array([0.02, 0.05, 0.11])
    moving = Automation(times_s, np.random.default_rng(1).uniform(size=(3, net.num_controls)))
    for path in (Constant(np.full(net.num_controls, 0.9)), moving):
        expected, output = both(net, bundle, path, tmp_path / "in.wav")
        np.testing.assert_allclose(output, expected, atol=1e-5)
    assert np.abs(expected).max() > 0.1


def test_one_player_plays_one_file_after_another_from_rest(
    bundles: dict[str, tuple[Net, Path]], tmp_path: Path
) -> None:
    player = BundlePlayer(Stream(bundles["knobs"][1]))
    soundfile.write(tmp_path / "stereo.wav", noise(2000), RATE_HZ)
    soundfile.write(tmp_path / "mono.wav", noise(2000, 1), RATE_HZ)
    for name in ("stereo", "mono", "again"):
        source = tmp_path / f"{name.replace('again', 'stereo')}.wav"
        render_file(player, [0.2, 0.5], source, tmp_path / f"{name}_out.wav")
    assert (tmp_path / "again_out.wav").read_bytes() == (tmp_path / "stereo_out.wav").read_bytes()


def test_output_that_is_not_finite_is_refused_and_nothing_written(tmp_path: Path) -> None:
    net = Waveshaper()
    export_bundle(net, **arguments(net, tmp_path / "bundle"))
    stream = Stream(tmp_path / "bundle")
    stream._engine.play = lambda rows, controls: np.full_like(rows, np.nan)  # type: ignore[method-assign]
    soundfile.write(tmp_path / "in.wav", noise(1000, 1), RATE_HZ)
    with pytest.raises(SoundFileError, match="--input-gain-db"):
        render_file(BundlePlayer(stream), [], tmp_path / "in.wav", tmp_path / "out.wav")
    assert not (tmp_path / "out.wav").exists()


def test_the_verb_renders_a_bundle_with_its_controls_and_without_torch(
    bundles: dict[str, tuple[Net, Path]], tmp_path: Path
) -> None:
    net, bundle = bundles["knobs"]
    soundfile.write(tmp_path / "in.wav", noise(3000), 48000, subtype="FLOAT")
    code = (
        "import sys\n"
        "from tapezoo.cli import main\n"
        "code = main(['render', *sys.argv[1:]])\n"
        "assert not {'torch', 'lightning', 'onnx', 'mlflow'} & set(sys.modules)\n"
        "sys.exit(code)\n"
    )
    line = [str(bundle), "in.wav", "out.wav", "--set", "drive=9"]
    done = subprocess.run(
        [sys.executable, "-c", code, *line], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"resampled to {RATE_HZ} Hz" in done.stdout
    controls: list[Control] = arguments(net, tmp_path / "unused")["controls"]
    render(net, RATE_HZ, control_vector(controls, {"drive": 9}), tmp_path / "in.wav", tmp_path / "net.wav")
    output, expected = (soundfile.read(tmp_path / f"{name}.wav")[0] for name in ("out", "net"))
    np.testing.assert_allclose(output, expected, atol=1e-5)


def test_a_model_that_is_nowhere_is_answered_with_what_is_shipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["render", str(tmp_path / "tpae"), "in.wav", "out.wav"]) == 2
    assert f"the name of a shipped bundle: {', '.join(shipped_bundles())}" in capsys.readouterr().err


def test_the_passage_is_music_at_a_level_that_drives_a_machine() -> None:
    passage = made_up_passage(3.0)
    assert len(passage) == 3 * 44100
    assert np.abs(passage).max() == pytest.approx(0.7)
    assert all(np.std(second) > 0.02 for second in np.split(passage, 3))


def test_levels_are_matched_and_no_peak_is_over_the_safe_one() -> None:
    dry = noise(1000, 1)[:, 0]
    peaky = np.zeros(1000)
    peaky[::100] = 1.0
    gains = matching_gains({"dry": dry, "loud": 4 * dry, "peaky": peaky})
    powers = [np.mean((gains[name] * signal) ** 2) for name, signal in (("dry", dry), ("peaky", peaky))]
    assert powers[0] == pytest.approx(powers[1])
    assert gains["loud"] == pytest.approx(gains["dry"] / 4)
    assert gains["peaky"] == pytest.approx(SAFE_PEAK)


def test_controls_are_turned_up_one_after_another() -> None:
    path = one_after_another(3, 12.0)
    for time_s, positions in ((0.0, [1, 0, 0]), (4.0, [0.5, 0.5, 0]), (6.0, [0, 1, 0]), (11.0, [0, 0, 1])):
        np.testing.assert_allclose(path.at(np.array([time_s]))[0], positions)
    assert one_after_another(0, 12.0).at(np.zeros(2)).shape == (2, 0)


def test_a_demo_has_the_dry_passage_and_a_file_for_each_bundle(
    bundles: dict[str, tuple[Net, Path]], tmp_path: Path
) -> None:
    files = render_demo(tmp_path, {name: bundles[name][1] for name in ("knobs", "hop")}, seconds=2.0)
    assert [file.path.name for file in files] == ["dry.wav", "knobs.wav", "hop.wav"]
    assert files[1].controls == ("drive", "speed")
    sounds = [soundfile.read(file.path)[0] for file in files]
    assert {len(sound) for sound in sounds} == {2 * 44100}
    levels = [np.sqrt(np.mean(np.square(sound))) for sound in sounds]
    np.testing.assert_allclose(levels, levels[0], rtol=1e-3)
    assert max(np.abs(sound).max() for sound in sounds) == pytest.approx(SAFE_PEAK, abs=1e-4)
