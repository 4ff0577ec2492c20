"""Modulation noise from a recorded tone to a bundle, and measured back: `generate`, `assemble`, `measure`."""

import numpy as np
import pytest
import soundfile
from tiny_lstm import RATE_HZ, save

from tapezoo.cli import main
from tapezoo.measure.machine.machine import machine_of_bundle
from tapezoo.measure.machine.modulation_noise import measure_modulation_noise

DEPTH_DB = -46.0  # from 5 to 200 Hz
LOOP_S = 4.0  # as long as is measured


def uneven(seconds, seed=0):
    """A slow gain whose spectrum falls off with frequency, none of it outside 5 to 200 Hz."""
    samples = round(seconds * RATE_HZ)
    hertz = np.fft.rfftfreq(samples, 1 / RATE_HZ)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(samples)) / (1 + (hertz / 30) ** 2)
    spectrum[(hertz < 5) | (hertz > 200)] = 0
    made = np.fft.irfft(spectrum, samples)
    return 10 ** (DEPTH_DB / 20) * made / made.std()


def assembled(folder, noise):
    save(folder / "best.ckpt")
    line = [
        "assemble",
        "--nonlinearity",
        folder / "best.ckpt",
        "--modulation-noise",
        noise,
        "--targets",
        "onnx",
    ]
    assert main([*map(str, line), "--out", str(folder / "bundle")]) == 0
    return folder / "bundle"


def depths_db(bundle, **settings):
    return measure_modulation_noise(machine_of_bundle(bundle, "bundle", settings)).depth_db


def test_what_is_assembled_is_measured_at_every_level_of_the_tone_and_of_the_knob(tmp_path):
    soundfile.write(tmp_path / "noise.wav", uneven(LOOP_S), RATE_HZ, "FLOAT")
    bundle = assembled(tmp_path, tmp_path / "noise.wav")
    np.testing.assert_allclose(depths_db(bundle), DEPTH_DB, atol=0.5)
    np.testing.assert_allclose(depths_db(bundle, modulation_noise=6.0), DEPTH_DB + 6, atol=0.5)
    assert (depths_db(bundle, modulation_noise=-60.0) == -np.inf).all()


def test_from_a_recorded_tone_to_a_bundle_its_level_stays(tmp_path, capsys):
    time_s = np.arange(16 * RATE_HZ) / RATE_HZ
    hiss = 1e-4 * np.random.default_rng(1).standard_normal(len(time_s))
    tone = (
        0.3 * (1 + uneven(16)) * np.sin(2 * np.pi * 1000 * (time_s + 1e-4 * np.sin(2 * np.pi * time_s)))
        + hiss
    )
    soundfile.write(tmp_path / "tone.wav", tone, RATE_HZ, "FLOAT")
    noise = tmp_path / "noise.wav"
    line = ["generate", tmp_path / "tone.wav", "--modulation-noise", "--out", noise, "--seconds", LOOP_S]
    assert main(list(map(str, line))) == 0
    said = capsys.readouterr().out
    assert "of 1000 Hz in 1 part, 8000 Hz: -46." in said or "of 1000 Hz in 1 part, 8000 Hz: -45." in said
    assert "15 recorded windows of 1 s" in said
    assert noise.with_suffix(".png").is_file()
    # four seconds of such noise scatter by .3 dB
    np.testing.assert_allclose(depths_db(assembled(tmp_path, noise)), DEPTH_DB, atol=0.8)


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (
            ["tone.wav", "--out", "take.csv"],
            "--modulation-noise with --out take.csv: it makes NOISE.wav of a tone",
        ),
        (["best.ckpt", "--out", "noise.wav"], "--modulation-noise with a checkpoint"),
        (["tone.wav", "--out", "noise.wav", "--wow", "2"], "--wow, --flutter or --sample-rate"),
    ],
)
def test_what_modulation_noise_is_not_made_of_is_said(arguments, found, capsys):
    assert main(["generate", "--modulation-noise", *arguments]) == 2
    assert found in capsys.readouterr().err
