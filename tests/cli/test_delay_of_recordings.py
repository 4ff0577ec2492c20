"""A delay that wanders, from `fit` to `test`, `validate` and `predict`, as a user types it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_lines import kept_process
from scipy import signal

from tapezoo.callbacks import RunRecorder
from tapezoo.checkpoint import load_model
from tapezoo.cli import main
from tapezoo.data.align.trajectory import DelayTrajectory
from tapezoo.data.align.trajectory_csv import write_trajectory
from tapezoo.devices.transport import read_delayed
from tapezoo.measure.playing import play

RATE, SECONDS, CONSTANT = 8000, 4, 50
RECIPE = str(Path(__file__).parents[2] / "recipes" / "fir.yaml")
SMALL = (
    *("--data", "PairedAudio", "--data.pairs", "pairs.yaml", "--data.segment_samples", "1024"),
    *("--data.burn_in_samples", "256", "--data.batch_size", "4", "--data.batches_per_epoch", "40"),
    *("--model.taps", "4", "--model.optimizer.lr", "0.05", "--trainer.max_epochs", "1"),
    *("--threads", "1", "--trainer.logger", "false", "--check_steadiness", "false"),
)


@pytest.fixture(scope="module")
def wandering(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a pair whose delay swings by 10 samples, and runs that remove it and that are given it."""
    folder = tmp_path_factory.mktemp("wandering")
    low = signal.butter(8, 3000, fs=RATE, output="sos")
    dry = signal.sosfilt(low, np.random.default_rng(0).uniform(-0.5, 0.5, SECONDS * RATE))
    times = np.arange(0, SECONDS, 0.02)
    delay = DelayTrajectory(times, CONSTANT + 5 * np.sin(5 * times), np.ones(len(times)), RATE)
    soundfile.write(folder / "dry.wav", dry, RATE, subtype="FLOAT")
    wet = 0.5 * read_delayed(dry, delay.at(0, len(dry)))
    soundfile.write(folder / "wet.wav", wet, RATE, subtype="FLOAT")
    write_trajectory(folder / "delay.csv", delay)
    (folder / "pairs.yaml").write_text("pairs: [{dry: dry.wav, wet: wet.wav, delay: delay.csv}]")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("TAPEZOO_CACHE", str(folder / "cache"))
        patch.setattr(RunRecorder, "_report", lambda *arguments: None)  # its pictures are tested elsewhere
        for mode in ("remove", "give"):
            with kept_process():
                line = ["fit", "--config", RECIPE, *SMALL, "--data.delay", mode, "--run_dir", mode]
                assert main(line) == 0
    return folder


@pytest.fixture
def here(wandering: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(wandering)
    monkeypatch.setenv("TAPEZOO_CACHE", str(wandering / "cache"))
    return wandering


def scores(run: Path) -> dict[str, str]:
    with (run / "report" / "test_clips.csv").open(newline="") as file:
        return list(csv.DictReader(file))[-1]


def test_test_says_what_is_reached_with_the_delay_removed_and_kept(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["test", "--ckpt_path", "remove/best.ckpt"]) == 0
    shown, found = capsys.readouterr().out, scores(here / "remove")
    assert "delay kept" in shown
    removed, kept = float(found["test_esr"]), float(found["test_esr_delay_kept"])
    assert f"{kept:.5f}" in shown
    assert removed < 0.05 < kept
    # by hand: the last tenth, with the middle of the delay taken off
    dry, wet = (soundfile.read(here / f"{name}.wav")[0] for name in ("dry", "wet"))
    start = SECONDS * RATE * 9 // 10 - 1
    net = load_model(here / "remove" / "best.ckpt").net
    target = wet[start + CONSTANT :][256:]
    output = play(net, dry[None, start : len(dry) - CONSTANT], [])[0, 256:]
    by_hand = float(np.sum(np.square(output - target)) / np.sum(np.square(target)))
    assert kept == pytest.approx(by_hand, rel=0.02)


def test_validate_says_both_too(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "--ckpt_path", "remove/best.ckpt", "--config", "remove/config.yaml"]) == 0
    assert "val_esr_delay_kept" in capsys.readouterr().out


def test_a_net_that_is_given_the_delay_is_scored_and_predicts_along_it(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["test", "--ckpt_path", "give/best.ckpt"]) == 0
    assert "delay kept" not in capsys.readouterr().out
    found = scores(here / "give")
    assert "test_esr_delay_kept" not in found
    assert float(found["test_esr"]) < 0.05
    assert main(["predict", "--ckpt_path", "give/best.ckpt", "--overwrite", "true"]) == 0
    (path,) = (here / "give" / "predictions").glob("*.wav")
    output, target = soundfile.read(path)[0], soundfile.read(here / "wet.wav")[0]
    target = target[len(target) - len(output) :]
    error = np.sum(np.square(output[256:] - target[256:])) / np.sum(np.square(target[256:]))
    assert float(error) == pytest.approx(float(found["test_esr"]), rel=0.05)


def test_render_gives_the_net_the_transport_back(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["render", "give/best.ckpt", "dry.wav", "out.wav", "--delay", "delay.csv", "--overwrite"]
    assert main(line) == 0
    assert f"first {CONSTANT} samples are left out" in capsys.readouterr().out
    output, wet = soundfile.read(here / "out.wav")[0], soundfile.read(here / "wet.wav")[0]
    null = wet[CONSTANT:] - output[:-CONSTANT]
    assert float(np.sum(null[500:] ** 2) / np.sum(wet[500:] ** 2)) < 0.05
