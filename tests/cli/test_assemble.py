"""`tapezoo assemble`: one bundle of a net, a transport and a noise, which plays as its parts do one by one."""

import numpy as np
import pytest
import soundfile
from tiny_generator import save_generator
from tiny_lstm import RATE_HZ, save

from tapezoo.bundle import read_manifest
from tapezoo.cli import main
from tapezoo.controls import Control
from tapezoo.data.align.trajectory_csv import write_delays
from tapezoo.devices.transport import read_delayed, replay_delay
from tapezoo.export.tape_picture import stages
from tapezoo.runtime import Stream
from tapezoo.taped import tape_controls

OFF = {"wow": 0.0, "flutter": 0.0, "modulation_noise": -60.0, "hiss": -60.0}
SETTINGS = [f"{name}={value:g}" for name, value in OFF.items()]


def music(samples):
    time_s = np.arange(samples) / RATE_HZ
    return (0.2 * np.sin(2 * np.pi * 220 * time_s) + 0.1 * np.sin(2 * np.pi * 1500 * time_s)).astype(
        np.float32
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """best.ckpt, take.csv, noise.wav and dry.wav."""
    folder = tmp_path_factory.mktemp("assemble")
    save(folder / "best.ckpt")
    time_s = np.arange(200) / 100
    delay_s = 3e-4 * np.sin(np.pi * time_s) + 2e-5 * np.sin(2 * np.pi * 10 * time_s)
    write_delays(folder / "take.csv", time_s, delay_s)
    noise = np.random.default_rng(0).normal(0, 0.003, RATE_HZ)
    soundfile.write(folder / "noise.wav", noise, RATE_HZ, "FLOAT")
    slow = np.fft.rfft(np.random.default_rng(1).normal(0, 0.05, 2 * RATE_HZ))
    slow[400:] = 0
    soundfile.write(folder / "modulation.wav", np.fft.irfft(slow), RATE_HZ, "FLOAT")
    soundfile.write(folder / "dry.wav", music(12000), RATE_HZ, "FLOAT")
    return folder


@pytest.fixture(scope="module")
def bundle(folder):
    arguments = ["--transport", folder / "take.csv", "--noise", folder / "noise.wav", "--seed", "2"]
    arguments += ["--modulation-noise", folder / "modulation.wav"]
    assert assemble(folder, folder / "bundle", *arguments) == 0
    return folder / "bundle"


def assemble(folder, out, *arguments, nonlinearity="best.ckpt"):
    line = ["assemble", "--nonlinearity", folder / nonlinearity, "--out", out, *arguments]
    return main([str(part) for part in line])


def played(bundle, audio, settings, block_samples, engine="onnx"):
    stream = Stream(bundle, engine=engine)
    parts = [
        stream.process(audio[..., start : start + block_samples], settings)
        for start in range(0, audio.shape[-1], block_samples)
    ]
    return np.concatenate(parts, axis=-1)


def rendered(bundle, folder, name, *arguments):
    line = ["render", bundle, folder / "dry.wav", folder / name, "--overwrite", *arguments]
    assert main([str(part) for part in line]) == 0
    return soundfile.read(folder / name)[0]


def test_the_bundle_says_what_it_is_made_of(bundle, folder):
    manifest = read_manifest(bundle)
    assert [control.name for control in manifest.controls] == ["wow", "flutter", "modulation_noise", "hiss"]
    assert manifest.latency_samples == 3 + 16
    assert manifest.endless_states == ("transport_place", "modulation_place", "noise_place")
    made_of = manifest.provenance["tape"]
    assert made_of["seed"] == 2
    assert made_of["nonlinearity"]["architecture"] == "LSTM"
    assert made_of["transport"]["loop_seconds"] == 2
    assert made_of["noise"]["loop_seconds"] == 1
    assert made_of["modulation_noise"]["loop_seconds"] == 2
    parts = ("nonlinearity", "transport", "noise", "modulation_noise")
    assert all(len(made_of[part]["sha256"]) == 64 for part in parts)
    assert manifest.provenance["latency_probe"]["after_declared_samples"] == 0
    card = (bundle / "MODEL_CARD.md").read_text()
    assert "Nothing random is computed while it plays" in card
    assert "the modulation noise, a loop of 2.0 s; the transport, a loop of 2.0 s" in card
    assert main(["verify", str(bundle)]) == 0


@pytest.mark.parametrize("engine", ["onnx", "kernel_numba"])
def test_streaming_is_one_pass_at_any_setting_in_every_engine(bundle, engine):
    audio = np.stack([music(6000), music(6000)])
    for settings in ({}, {"wow": 0.4, "hiss": 6.0}):
        whole = played(bundle, audio, settings, 6000)
        np.testing.assert_allclose(played(bundle, audio, settings, 64, engine), whole, atol=2e-6)


@pytest.mark.parametrize("engine", ["onnx", "kernel_numba"])
@pytest.mark.parametrize("settings", [{}, {"wow": 0.4}], ids=["at rest", "settled elsewhere"])
def test_channels_share_the_wander_and_each_has_noise_of_its_own(bundle, settings, engine):
    audio = np.stack([music(6000), music(6000)])
    even = {**settings, "modulation_noise": -60.0}
    quiet = played(bundle, audio, {**even, "hiss": -60.0}, 6000, engine)
    np.testing.assert_array_equal(quiet[0], quiet[1])
    uneven = played(bundle, audio, {**settings, "hiss": -60.0}, 6000, engine)
    assert np.abs(np.diff(uneven - quiet, axis=0)).max() > 1e-3
    noise = played(bundle, audio, even, 6000, engine) - quiet
    assert abs(np.corrcoef(noise)[0, 1]) < 0.1
    assert noise.std() == pytest.approx(0.003, rel=0.05)


def test_its_wander_is_that_of_the_take_played_by_render(folder, tmp_path):
    take = folder / "take.csv"
    assert assemble(folder, tmp_path / "bundle", "--transport", take, "--targets", "onnx") == 0
    on = [part for name in ("wow", "flutter") for part in ("--set", f"{name}=1")]
    off = [part for name in ("wow", "flutter") for part in ("--set", f"{name}=0")]
    virtual = rendered(tmp_path / "bundle", folder, "on.wav", *on)
    still = rendered(tmp_path / "bundle", folder, "off.wav", *off, "--delay", take)
    # where the file begins its curve is no loop's
    assert np.abs(virtual - still)[1000:11900].max() < 1e-4
    assert np.abs(virtual - rendered(tmp_path / "bundle", folder, "still.wav", *off)).max() > 0.05


def test_a_recorded_delay_as_automation_is_what_the_virtual_tape_did(bundle, folder):
    delay = replay_delay(12000, RATE_HZ, 0.3, seed=1)
    points = slice(0, 12000, 8)
    write_delays(folder / "virtual.csv", np.arange(12000)[points] / RATE_HZ, delay[points] / RATE_HZ)
    off = [part for setting in SETTINGS for part in ("--set", setting)]
    still = rendered(bundle, folder, "still.wav", *off)
    wandering = rendered(bundle, folder, "wandering.wav", *off, "--delay", folder / "virtual.csv")
    wet = read_delayed(still, delay)
    left_out = round(float(delay[0]))  # of the delay: whenever the recording began
    assert np.abs(wandering[: 12000 - left_out] - wet[left_out:])[200:11800].max() < 1e-3
    assert np.abs(wandering - still).max() > 0.02


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ([], "no --transport, --noise or --modulation-noise"),
        (["--noise", "noise.wav", "--seed", "-1"], "--seed -1, outside 0 to 2147483647"),
        (["--noise", "noise.wav", "--seed", "2147483648"], "--seed 2147483648, outside 0"),
        (["--transport", "noise.wav"], "not UTF-8"),
        (["--modulation-noise", "noise.wav"], "as of hiss"),
    ],
    ids=str,
)
def test_what_cannot_be_assembled_is_said(folder, tmp_path, arguments, found, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    assert assemble(folder, tmp_path / "bundle", *arguments) == 2
    assert found in capsys.readouterr().err
    assert not (tmp_path / "bundle").exists()


def test_the_card_shows_the_tapes_parts_one_after_another(bundle):
    assert (bundle / "pictures" / "tape.png").is_file()
    assert "(pictures/tape.png)" in (bundle / "MODEL_CARD.md").read_text()
    controls = [Control("drive"), *tape_controls(True, True, True)]
    assert stages(controls, OFF) == {
        "nonlinearity": OFF,
        "with the modulation noise": {"wow": 0.0, "flutter": 0.0, "hiss": -60.0},
        "with the delay": {"hiss": -60.0},
        "with the noise": {},
    }
    assert list(stages(tape_controls(False, True), OFF).items())[-1] == ("with the noise", {})
    assert stages(tape_controls(True, False), OFF) == {
        "nonlinearity": {"wow": 0.0, "flutter": 0.0},
        "with the delay": {},
    }


def test_generators_make_the_loops_another_seed_others(folder, tmp_path):
    transport = save_generator(tmp_path / "transport.ckpt")
    noise = save_generator(tmp_path / "noise.ckpt", "noise", RATE_HZ, scale=1e-3)
    arguments = ["--transport", transport, "--noise", noise, "--seconds", "2", "--targets", "onnx"]
    played = {}
    for seed in (0, 1):
        out = tmp_path / f"bundle{seed}"
        assert assemble(folder, out, *arguments, "--seed", seed) == 0
        played[seed] = Stream(out).process(np.zeros((1, 4000), np.float32))
    assert read_manifest(out).provenance["tape"]["transport"]["loop_seconds"] == pytest.approx(2)
    assert np.abs(played[0]).max() > 0
    assert np.abs(played[0] - played[1]).max() > 1e-4


@pytest.mark.parametrize(
    ("option", "kind", "rate", "seconds", "found"),
    [
        ("--noise", "speed", 100, 2, "a generator of speed; expected one of noise. Pass it as --transport."),
        (
            "--transport",
            "noise",
            RATE_HZ,
            2,
            "a generator of noise; expected one of speed. Pass it as --noise.",
        ),
        ("--noise", "noise", 44100, 2, "noise at 44100 Hz; expected 8000 Hz"),
        ("--transport", "speed", 100, 1, "found 1 s; expected 1.28 s at least"),
    ],
)
def test_a_generator_that_does_not_fit_is_refused(
    option, kind, rate, seconds, found, folder, tmp_path, capsys
):
    generator = save_generator(tmp_path / "best.ckpt", kind, rate)
    assert assemble(folder, tmp_path / "bundle", option, generator, "--seconds", seconds) == 2
    assert found in capsys.readouterr().err
    assert not (tmp_path / "bundle").exists()


def test_a_bundle_is_no_nonlinearity_and_neither_is_a_net_with_a_wow_of_its_own(
    bundle, folder, tmp_path, capsys
):
    noise = ["--noise", folder / "noise.wav"]
    assert assemble(folder, tmp_path / "a", *noise, nonlinearity="bundle") == 2
    assert "expected the checkpoint that it was exported from" in capsys.readouterr().err
    save(folder / "hiss.ckpt", [Control("hiss")])
    assert assemble(folder, tmp_path / "b", *noise, nonlinearity="hiss.ckpt") == 2
    assert "found a control called hiss" in capsys.readouterr().err
