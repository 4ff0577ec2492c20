"""`tapezoo test` with controls, held-out settings and further checkpoints, from the outside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from tapezoo.checkpoint import CheckpointError
from tapezoo.cli import main
from tapezoo.cli.ensemble import load_ensemble
from tapezoo.measure.disagreement import EnsembleError
from tapezoo.models.lstm import LSTM

RATE = 8000
SIZES = [
    *("--data.segment_samples", "256", "--data.burn_in_samples", "32", "--data.batch_size", "4"),
    *("--data.batches_per_epoch", "2", "--data.align", "off", "--threads", "1"),
]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def pairs(name: str, control: str) -> str:
    """Four settings of one control."""
    dry = np.random.default_rng(0).uniform(-0.5, 0.5, 2 * RATE)
    soundfile.write("dry.wav", dry, RATE, subtype="FLOAT")
    lines = [f"dry,wet,{control}"]
    for gain in (0, 2, 5, 10):
        soundfile.write(f"{gain}.wav", (0.1 + 0.05 * gain) * dry, RATE, subtype="FLOAT")
        lines.append(f"dry.wav,{gain}.wav,{gain}")
    Path(name).write_text("\n".join(lines))
    return name


def saved(run_dir: str, seed: int, control: str) -> LSTM:
    """An untrained model with one control, as the best checkpoint of a run."""
    torch.manual_seed(seed)
    controls = [{"name": control, "min": 0.0, "max": 10.0, "default": 2.0}]
    model = LSTM(hidden_size=2, sample_rate=RATE, controls=controls)
    Path(run_dir).mkdir()
    own = {"architecture": "LSTM", "arguments": dict(model.hparams), "metrics": {}, "provenance": {}}
    torch.save({"tapezoo": own, "state_dict": model.state_dict()}, f"{run_dir}/best.ckpt")
    return model


@pytest.mark.usefixtures("drawn")
def test_held_out_settings_are_reported_and_compared_between_seeds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for seed, run_dir in enumerate(("a", "b")):
        saved(run_dir, seed, "gain")
    arguments = [
        *("test", "--model", "LSTM", "--model.hidden_size", "2", "--data", "PairedAudio"),
        *("--data.pairs", pairs("gain.csv", "gain"), *SIZES, "--data.hold_out.rule", "extrapolation"),
        *("--ckpt_path", "a/best.ckpt", "--ensemble", "[b]"),
    ]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "worst setting: gain=" in said
    assert "capture here next: gain=" in said
    assert "(2 models disagree by" in said
    report = Path("a/report")
    names = {
        "test_clips.csv",
        "test_metrics.csv",
        "test_settings.csv",
        "test_settings.png",
        "capture_next.csv",
    }
    assert names == {path.name for path in report.iterdir()}
    assert "gain=10,extrapolation,10," in (report / "test_settings.csv").read_text()
    lines = (report / "capture_next.csv").read_text().splitlines()[1:]
    assert len(lines) == 3  # the held-out one and two midpoints
    assert min(float(line.split(",")[2]) for line in lines) > 0


def test_checkpoints_that_cannot_be_compared_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    tested = saved("a", 0, "gain")
    saved("other", 0, "level")
    for others, part in (
        (["a"], "a/best.ckpt twice"),
        (["other", "other/best.ckpt"], "other/best.ckpt twice"),
        (["other"], "level 0 to 10.*gain 0 to 10"),
    ):
        with pytest.raises(EnsembleError, match=part):
            load_ensemble(tested, "a/best.ckpt", others)
    with pytest.raises(CheckpointError, match="no such file"):
        load_ensemble(tested, "a/best.ckpt", ["nowhere.ckpt"])
    line = ["fit", "--model", "LSTM", "--data", "VirtualDevices", "--ensemble", "[other]"]
    assert main(line) == 2
    assert "ensemble" in capsys.readouterr().err


def test_a_model_is_not_scored_at_controls_it_was_not_trained_with(
    capsys: pytest.CaptureFixture[str],
) -> None:
    saved("a", 0, "level")
    line = ["--model", "LSTM", "--model.hidden_size", "2", "--data", "PairedAudio", *SIZES]
    line += ["--data.pairs", pairs("gain.csv", "gain"), "--ckpt_path", "a/best.ckpt"]
    for verb in ("test", "validate", "predict", "fit"):
        assert main([verb, *line]) == 2
        said = capsys.readouterr().err
        assert "the controls level 0 to 10 (linear); expected gain 0 to 10 (linear), as the data" in said
    assert [path.name for path in Path("a").iterdir()] == ["best.ckpt"]
