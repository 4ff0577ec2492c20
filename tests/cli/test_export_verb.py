"""`tapezoo export`: which formats, how much loss; on a checkpoint that was not trained for long."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
import torch
from lightning.pytorch import Trainer

from tapezoo.bundle import read_manifest
from tapezoo.cli import export, main
from tapezoo.export import MAX_DEGRADATION_ESR
from tapezoo.models.gru import GRU
from tapezoo.models.lstm import LSTM

RATE = 8000


def save(model: LSTM | GRU, path: Path) -> Path:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.05)
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
    trainer.strategy.connect(model)
    model.trainer = trainer
    trainer.save_checkpoint(path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """best.ckpt of an LSTM, gru.ckpt, and a second of sound."""
    folder = tmp_path_factory.mktemp("export_verb")
    save(LSTM(sample_rate=RATE, controls=[], hidden_size=16), folder / "best.ckpt")
    save(GRU(sample_rate=RATE, controls=[], hidden_size=16), folder / "gru.ckpt")
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, RATE)
    soundfile.write(folder / "dry.wav", sound, RATE, subtype="FLOAT")
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Exit code, output and errors of a command line."""
    capsys.readouterr()
    try:
        code = main(["export", *map(str, arguments)])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_asked_for_targets_are_written_with_what_they_lose(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bundle"
    formats = ("--targets", "onnx,torchscript,onnx_int8,onnx_fp16", "--max-loss", "0.01")
    code, said, errors = run(capsys, folder, "--out", out, "--audio", folder / "dry.wav", *formats)
    assert code == 0, errors
    manifest = read_manifest(out)
    assert list(manifest.targets) == ["onnx", "torchscript", "onnx_int8", "onnx_fp16"]
    assert {row["max_esr"] for row in manifest.degradation} == {0.01}
    for row in manifest.degradation:
        size = row["size_bytes"] / (out / "model.onnx").stat().st_size
        loss = rf"{row['target']} +\S+ +ESR {row['esr']:.1e}, "
        shown = rf"{loss}.*size {size:.2f} of onnx, speed \d+\.\d+ in blocks of 64"
        assert re.search(shown, said)
    assert onnx.load(out / "model.int8.onnx").producer_name
    assert sorted(path.name for path in (out / "pictures").iterdir()) == [
        "spectrograms.png",
        "transfer_curve.png",
        "waveforms.png",
    ]


def test_a_bundle_for_another_sample_rate_says_where_its_error_was_measured(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bundle"
    options = ("--audio", folder / "dry.wav", "--targets", "onnx,cpp", "--sample-rate", 2 * RATE)
    code, _, errors = run(capsys, folder / "gru.ckpt", "--out", out, *options)
    assert code == 0, errors
    manifest = read_manifest(out)
    assert (manifest.sample_rate, manifest.provenance["trained_sample_rate"]) == (2 * RATE, RATE)
    assert {tensor.name: tensor.shape for tensor in manifest.state} == {"hidden": (1, 4, 16)}
    card = (out / "MODEL_CARD.md").read_text()
    assert f"at {RATE} Hz. The bundle plays the same weights at {2 * RATE} Hz" in " ".join(card.split())


def test_an_oversampled_bundle_declares_its_latency_and_what_its_error_was_measured_of(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bundle"
    options = ("--audio", folder / "dry.wav", "--targets", "onnx", "--oversample", 2)
    code, said, errors = run(capsys, folder / "best.ckpt", "--out", out, *options)
    assert code == 0, errors
    manifest = read_manifest(out)
    assert (manifest.latency_samples, manifest.provenance["oversampled"]) == (72, 2)
    assert {tensor.name: tensor.shape for tensor in manifest.state}["hidden"] == (2, 1, 16)
    assert "declared 72 samples, and the response is largest there" in " ".join(said.split())


@pytest.mark.parametrize(
    ("checkpoint", "options", "says"),
    [
        ("best.ckpt", ("--targets", "onnx,onx_int8"), "Did you mean onnx_int8?"),
        ("best.ckpt", ("--targets", "torchscript"), "--targets onnx,torchscript"),
        ("best.ckpt", ("--targets", ""), "none, without onnx"),
        ("best.ckpt", ("--targets", ","), "a comma without a name"),
        ("best.ckpt", ("--targets", "onnx,,"), "'onnx,,': found a comma without a name"),
        ("gru.ckpt", ("--targets", "onnx,onnx_int8"), "no int8 operator for"),
        ("best.ckpt", ("--targets", "onnx,onnx_fp16", "--max-loss", "1e-30"), "an ESR of"),
        ("best.ckpt", ("--sample-rate", str(RATE // 2)), "would have to be extrapolated"),
        ("best.ckpt", ("--sample-rate", "96k"), "'96k' is not a sample rate"),
        ("best.ckpt", ("--max-loss", "-1"), "is not an ESR"),
        ("best.ckpt", ("--max-loss", "nan"), "is not an ESR"),
        ("best.ckpt", ("--max-loss", "little"), "is not an ESR"),
    ],
)
def test_what_cannot_be_exported_is_said_and_leaves_nothing(
    checkpoint: str,
    options: tuple[str, ...],
    says: str,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    audio = ("--audio", folder / "dry.wav")
    code, _, errors = run(capsys, folder / checkpoint, "--out", tmp_path / "bundle", *audio, *options)
    assert code == 2
    assert says in " ".join(errors.split())
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []


def test_the_default_the_help_shows_is_that_of_the_library() -> None:
    assert export.MAX_LOSS == MAX_DEGRADATION_ESR
