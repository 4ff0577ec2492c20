"""Every verb on one small trained model, through `main`, as a user types it."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from command_lines import kept_process
from numpy.typing import NDArray

from tapezoo.checkpoint import load_model
from tapezoo.cli import main
from tapezoo.training.effect import EffectModel

RATE = 8000
RECIPE = str(Path(__file__).parents[2] / "recipes" / "lstm.yaml")
SMALL_DATA = (
    *("--data.segment_samples", "1024", "--data.burn_in_samples", "64"),
    *("--data.batch_size", "4", "--data.batches_per_epoch", "2"),
)
SMALL = (*SMALL_DATA, "--model.hidden_size", "4", "--trainer.max_epochs", "1", "--threads", "1")
CLIPS = ("quiet", "loud")


@dataclass(frozen=True)
class Result:
    """How a call ended."""

    code: int
    out: str
    err: str


def invoke(capsys: pytest.CaptureFixture[str], *arguments: object) -> Result:
    """One command line, in this process; `error()` of a parser counts as the exit it is."""
    capsys.readouterr()
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    captured = capsys.readouterr()
    return Result(code, captured.out, captured.err)


def programme(seconds: float, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, round(seconds * RATE))


def machine(dry: NDArray[np.float64]) -> NDArray[np.float64]:
    return 0.6 * np.tanh(2 * dry)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with recordings, trained in by the command line; the run is `run`."""
    folder = tmp_path_factory.mktemp("verbs")
    lines = ["pairs:"]
    for seed, name in enumerate(CLIPS):
        dry = programme(4, seed) * (seed + 1) / 2
        soundfile.write(folder / f"dry_{name}.wav", dry, RATE, subtype="FLOAT")
        soundfile.write(folder / f"wet_{name}.wav", machine(dry), RATE, subtype="FLOAT")
        lines.append(f"- {{dry: dry_{name}.wav, wet: wet_{name}.wav}}")
    (folder / "pairs.yaml").write_text("\n".join(lines))
    data = ("--data", "PairedAudio", "--data.pairs", str(folder / "pairs.yaml"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("TAPEZOO_CACHE", str(folder / "cache"))
        with kept_process():
            code = main(
                ["fit", "--config", RECIPE, *data, *SMALL, "--run_dir", "run", "--trainer.logger", "false"]
            )
    assert code == 0
    return folder


@pytest.fixture
def here(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(trained)
    return trained


def test_fit_leaves_a_run_folder_and_says_what_to_do_next(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the short forms of README: a recipe for the virtual tape, the user's own pair instead."""
    monkeypatch.chdir(tmp_path)
    dry = programme(3)
    soundfile.write("dry.wav", dry, RATE)
    soundfile.write("wet.wav", machine(dry), RATE)
    pair = ("--data", "PairedAudio", "--data.dry", "dry.wav", "--data.wet", "wet.wav")
    result = invoke(
        capsys, "fit", "--config", RECIPE, "--model", "LSTM", *pair, *SMALL, "--trainer.logger", "false"
    )
    assert result.code == 0, result.err
    (run,) = (tmp_path / "runs").iterdir()
    assert run.name.startswith("LSTM-")
    for kept in ("best.ckpt", "last.ckpt", "config.yaml", "report/transfer_curve.png"):
        assert (run / kept).stat().st_size > 0
    assert not list(tmp_path.rglob("*.part"))
    assert not (tmp_path / "mlruns.db").exists()  # tracking was switched off
    for said in ("linear floor", "best val_esr", "tapezoo render", "tapezoo export"):
        assert said in result.out
    model = load_model(run / "best.ckpt")
    assert (type(model).__name__, model.sample_rate, model.controls) == ("LSTM", RATE, [])
    assert model.net.lstm.hidden_size == 4
    # the recipe's, kept beside what was said on the command line
    assert "tbptt_samples: 512" in (run / "config.yaml").read_text()


@pytest.mark.parametrize("form", [("--model", "FIR"), ("--model=FIR",), ("--model", "tapezoo.models.FIR")])
def test_another_model_after_a_recipe_is_its_name_alone(
    form: tuple[str, ...], here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ("--data", "PairedAudio", "--data.pairs", "pairs.yaml", *SMALL_DATA)
    result = invoke(
        capsys, "fit", "--config", RECIPE, *form, "--model.taps", "8", *data, "--trainer.fast_dev_run", "true"
    )
    assert result.code == 0, result.err
    assert "Traceback" not in result.err


def test_the_recipe_in_the_run_folder_trains_the_same_model_again(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = tmp_path / "again"
    result = invoke(capsys, "fit", "--config", "run/config.yaml", "--run_dir", again)
    assert result.code == 0, result.err
    first, second = (load_model(run / "best.ckpt").state_dict() for run in (here / "run", again))
    for name, weights in first.items():
        torch.testing.assert_close(second[name], weights, rtol=0, atol=0)


def test_test_finds_the_recipe_of_its_checkpoint_and_shows_a_table_by_clip(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = invoke(capsys, "test", "--ckpt_path", "run/best.ckpt")
    assert result.code == 0, result.err
    with (here / "run" / "report" / "test_clips.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(CLIPS) + 1
    for name, row in zip(CLIPS, rows, strict=False):
        assert f"wet_{name}.wav" in row["clip"]
    assert rows[-1]["clip"] == "all"
    for row in rows:
        assert f"{float(row['test_esr']):.5f}" in result.out
        assert f"{float(row['linear_floor']):.5f}" in result.out
    # by hand: the last tenth of the quiet clip through the net from rest, after the burn-in
    esr = _esr_of(load_model(here / "run" / "best.ckpt"), here, "quiet")
    assert float(rows[0]["test_esr"]) == pytest.approx(esr, rel=1e-3)


def _esr_of(model: EffectModel, folder: Path, clip: str) -> float:
    dry, wet = (
        soundfile.read(folder / f"{side}_{clip}.wav", dtype="float32")[0][-RATE * 4 // 10 :]
        for side in ("dry", "wet")
    )
    with torch.no_grad():
        output = model.run(torch.from_numpy(dry)[None, None], torch.zeros(1, 0))[0, 0].numpy()
    error, energy = (np.square(signal[64:], dtype=np.float64).sum() for signal in (output - wet, wet))
    return float(error / energy)


def test_validate_repeats_the_score_of_the_training(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = invoke(capsys, "validate", "--ckpt_path", "run/best.ckpt")
    assert result.code == 0, result.err
    content = torch.load(here / "run" / "best.ckpt", weights_only=True)
    shown = float(result.out.split("val_esr")[1].split()[1])
    assert shown == pytest.approx(content["tapezoo"]["metrics"]["val_esr"], rel=1e-5)
    assert {path.name for path in (here / "run").glob("*.ckpt")} == {"best.ckpt", "last.ckpt"}


def test_predict_writes_what_the_net_makes_of_every_test_clip(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = invoke(capsys, "predict", "--ckpt_path", "run/best.ckpt")
    assert result.code == 0, result.err
    assert "run/predictions" in result.out
    files = sorted((here / "run" / "predictions").iterdir())
    assert len(files) == len(CLIPS)
    heard, rate = soundfile.read(files[1], dtype="float32")
    assert rate == RATE
    assert "quiet" in files[1].name
    dry = soundfile.read(here / "dry_quiet.wav", dtype="float32")[0][-len(heard) :]
    model = load_model(here / "run" / "best.ckpt")
    with torch.no_grad():
        expected = model.run(torch.from_numpy(dry)[None, None], torch.zeros(1, 0))[0, 0].numpy()
    np.testing.assert_allclose(heard, expected, atol=1e-6)


@pytest.mark.parametrize("checkpoint", ["run/best.ckpt", "run"])
def test_render_writes_a_file_like_its_source(
    checkpoint: str, here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tmp_path / "in.flac", tmp_path / "out.wav"
    soundfile.write(source, np.stack([programme(1), programme(1, 1)], axis=1), 11025, subtype="PCM_24")
    result = invoke(capsys, "render", checkpoint, source, target, "--mix", "0.5", "--limiter")
    assert result.code == 0, result.err
    info = soundfile.info(target)
    assert (info.samplerate, info.channels, info.frames, info.subtype) == (11025, 2, RATE, "PCM_24")
    assert "resampled to 8000 Hz" in result.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.flac", "out.wav"]


def test_render_replaces_a_file_only_when_told(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "out.wav"
    target.write_bytes(b"somebody's work")
    refused = invoke(capsys, "render", "run", "dry_quiet.wav", target)
    assert (refused.code, target.read_bytes()) == (2, b"somebody's work")
    assert invoke(capsys, "render", "run", "dry_quiet.wav", target, "--overwrite").code == 0
    assert soundfile.info(target).frames == 4 * RATE


def test_export_then_verify(here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = tmp_path / "bundle"
    result = invoke(capsys, "export", "run", "--out", bundle, "--audio", "dry_loud.wav")
    assert result.code == 0, result.err
    assert "onnx" in result.out
    assert "torchscript" in result.out
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    card = (bundle / "MODEL_CARD.md").read_text()
    assert "LSTM" in card
    before = {path: path.read_bytes() for path in bundle.rglob("*") if path.is_file()}
    result = invoke(capsys, "verify", bundle)
    assert result.code == 0, result.err
    assert result.out.count(" ok") == 3, "onnx, torchscript, kernel"
    assert {path: path.read_bytes() for path in bundle.rglob("*") if path.is_file()} == before


def test_models_lists_what_is_registered(capsys: pytest.CaptureFixture[str]) -> None:
    result = invoke(capsys, "models")
    assert result.code == 0
    header, *rows = (line.split() for line in result.out.splitlines())
    assert header == ["name", "distribution", "version"]
    assert {"FIR", "LSTM"} <= {row[0] for row in rows}


def test_check_says_that_the_laws_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    result = invoke(capsys, "check", "FIR")
    assert "nothing broken" in result.out
    assert "streaming" in result.out
    assert result.code == 0


@pytest.mark.parametrize("verb", ["models", "check", "render", "export", "verify"])
def test_every_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    result = invoke(capsys, verb, "--help")
    assert result.code == 0
    assert "usage: tapezoo" in result.out


def test_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    result = invoke(capsys, "--help")
    assert result.code == 0
    for verb in ("fit", "validate", "test", "predict", "models", "check", "render", "export", "verify"):
        assert f"\n    {verb} " in result.out
