"""A render with a loop of noise added."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tapezoo.data.errors import SoundFileError
from tapezoo.models.fir import FIRNet
from tapezoo.render.errors import RenderError
from tapezoo.render.nets import render

RATE = 8000
DRY = 0.1 * np.sin(2 * np.pi * 100 * np.arange(5 * RATE) / RATE)
NOISE = 0.01 * np.random.default_rng(0).standard_normal(2 * RATE)


def rendered(
    folder: Path, dry: np.ndarray, noise: np.ndarray, rate: int = RATE, **options: object
) -> np.ndarray:
    soundfile.write(folder / "in.wav", dry, RATE, "FLOAT")
    soundfile.write(folder / "noise.wav", noise, rate, "DOUBLE")
    files = (folder / "in.wav", folder / "out.wav")
    render(FIRNet(0, taps=2), RATE, [], *files, noise=folder / "noise.wav", overwrite=True, **options)  # type: ignore[arg-type]
    return soundfile.read(folder / "out.wav", always_2d=True)[0]


@pytest.mark.parametrize("block_samples", [100, 8192])
def test_it_is_added_in_a_loop_whatever_the_blocks(tmp_path: Path, block_samples: int) -> None:
    output = rendered(tmp_path, DRY, NOISE, block_samples=block_samples, noise_gain_db=-6.0)
    expected = DRY + 10 ** (-6 / 20) * np.resize(NOISE, len(DRY))
    np.testing.assert_allclose(output[:, 0], expected, atol=1e-7)


def test_every_channel_has_noise_of_its_own_and_dry_has_none(tmp_path: Path) -> None:
    stereo = np.stack([DRY, DRY], axis=1)
    added = rendered(tmp_path, stereo, NOISE) - stereo
    assert abs(np.corrcoef(added.T)[0, 1]) < 0.05
    np.testing.assert_allclose(added.std(axis=0), NOISE.std(), rtol=0.05)
    np.testing.assert_allclose(rendered(tmp_path, stereo, NOISE, mix=0.0), stereo, atol=1e-7)


def test_channels_have_those_of_the_noise_in_turn(tmp_path: Path) -> None:
    noise = np.stack([NOISE, 2 * NOISE[::-1]], axis=1)
    added = rendered(tmp_path, np.zeros((RATE, 3)), noise)
    np.testing.assert_allclose(added[:, :2], noise[:RATE], atol=1e-7)
    np.testing.assert_allclose(added[:, 2], NOISE[RATE:], atol=1e-7)  # the first again, half a loop later


def test_a_file_that_is_played_along_is_never_replaced(tmp_path: Path) -> None:
    rendered(tmp_path, DRY, NOISE)
    files = (tmp_path / "in.wav", tmp_path / "noise.wav")
    with pytest.raises(RenderError, match=r"noise\.wav: found the input itself"):
        render(FIRNet(0, taps=2), RATE, [], *files, noise=tmp_path / "noise.wav", overwrite=True)


def test_at_another_rate_it_is_resampled_without_a_seam(tmp_path: Path) -> None:
    tone = 0.1 * np.sin(2 * np.pi * 50 * np.arange(16000) / 16000)  # whole periods in a second
    added = rendered(tmp_path, 0 * DRY, tone, rate=16000)[:, 0]
    np.testing.assert_allclose(added, 0.1 * np.sin(2 * np.pi * 50 * np.arange(len(DRY)) / RATE), atol=1e-3)


def test_what_is_too_long_for_a_loop_or_empty_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tapezoo.render.noise.MOST_S", 1.0)
    with pytest.raises(RenderError, match=r"noise\.wav: found 2 s; expected a loop of noise, 0\.1 to 1 s"):
        rendered(tmp_path, DRY, NOISE)
    with pytest.raises(SoundFileError, match=r"noise\.wav: found 0 samples"):
        rendered(tmp_path, DRY, np.zeros(0))
    with pytest.raises(RenderError, match=r"found 0\.00025 s; expected a loop"):
        rendered(tmp_path, DRY, NOISE[:2])
    with pytest.raises(RenderError, match="found digital silence; expected a loop"):
        rendered(tmp_path, DRY, 0 * NOISE[:RATE])
    assert not (tmp_path / "out.wav").exists()


def test_modulation_noise_multiplies_the_effect_every_channel_another_part_of_it(tmp_path: Path) -> None:
    deviation = 0.1 * np.sin(2 * np.pi * 3 * np.arange(2 * RATE) / RATE)
    soundfile.write(tmp_path / "modulation.wav", deviation, RATE, "DOUBLE")
    files = (write_dry(tmp_path, np.stack([DRY, DRY], axis=1)), tmp_path / "out.wav")
    render(
        FIRNet(0, taps=2), RATE, [], *files, modulation_noise=tmp_path / "modulation.wav", block_samples=700
    )
    output = soundfile.read(tmp_path / "out.wav")[0]
    for channel, start in enumerate((0, RATE)):
        expected = DRY * (1 + np.resize(np.roll(deviation, -start), len(DRY)))
        np.testing.assert_allclose(output[:, channel], expected, atol=1e-7)


def test_hiss_is_no_modulation_noise(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "hiss.wav", NOISE, RATE, "FLOAT")
    files = (write_dry(tmp_path, DRY), tmp_path / "out.wav")
    with pytest.raises(RenderError, match=r"as of hiss; .*Pass hiss as --noise"):
        render(FIRNet(0, taps=2), RATE, [], *files, modulation_noise=tmp_path / "hiss.wav")


def test_the_recorded_tone_itself_is_no_modulation_noise(tmp_path: Path) -> None:
    tone = 0.3 * np.sin(2 * np.pi * 700 * np.arange(2 * RATE) / RATE)
    soundfile.write(tmp_path / "tone.wav", tone, RATE, "FLOAT")
    files = (write_dry(tmp_path, DRY), tmp_path / "out.wav")
    with pytest.raises(RenderError, match=r"found a tone of 700 Hz; .*makes it of a recorded tone"):
        render(FIRNet(0, taps=2), RATE, [], *files, modulation_noise=tmp_path / "tone.wav")
    assert not (tmp_path / "out.wav").exists()


def write_dry(folder: Path, dry: np.ndarray) -> Path:
    soundfile.write(folder / "in.wav", dry, RATE, "FLOAT")
    return folder / "in.wav"
