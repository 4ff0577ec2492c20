"""A recipe alone ends in a registered artifact; a fault on the way costs neither run nor checkpoint."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import yaml
from lightning.pytorch import Trainer
from mlflow import MlflowClient
from scipy.signal import lfilter
from tracking.stores import files, new_store

from tapezoo.bundle import read_manifest
from tapezoo.callbacks import BestAndLast, Register, RunRecorder
from tapezoo.checkpoint import read_checkpoint
from tapezoo.cli import main
from tapezoo.data import PairedAudio
from tapezoo.export import ParityError
from tapezoo.models.fir import FIR
from tapezoo.tracking import Tracking, make_logger
from tapezoo.tracking.errors import VersionError
from tapezoo.tracking.pull import pull_bundle
from tapezoo.training.errors import TrainingError

RATE = 8000
RECIPE = Path(__file__).parents[2] / "recipes" / "registered.yaml"


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    dry = np.random.default_rng(0).uniform(-0.5, 0.5, 6 * RATE)
    soundfile.write(folder / "dry.wav", dry, RATE, subtype="FLOAT")
    soundfile.write(folder / "wet.wav", lfilter([0.5, 0.3], [1], dry), RATE, subtype="FLOAT")
    return folder


@pytest.fixture
def uri(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return new_store(tmp_path / "store", tmp_path_factory)


@pytest.fixture
def _process() -> Any:
    """A training sets log levels of the whole process."""
    loggers = [logging.getLogger(name) for name in ("tapezoo.data", "lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def train(
    recordings: Path, run_dir: Path, register: Register, logger: Any, records: bool = False, **options: Any
) -> None:
    """Two short epochs of a four-tap filter; with a report if it `records`."""
    data = PairedAudio(
        dry=str(recordings / "dry.wav"),
        wet=str(recordings / "wet.wav"),
        batch_size=4,
        segment_samples=1024,
        burn_in_samples=64,
        batches_per_epoch=2,
        cache_dir=str(recordings / "cache"),
    )
    recorder = [RunRecorder(run_dir, "seed_everything: 0\n", excerpt_s=0.25)] if records else []
    torch.manual_seed(0)
    model = FIR(taps=4, sample_rate=RATE, burn_in_samples=64)
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=2,
        logger=logger,
        callbacks=[
            register,
            *recorder,
            BestAndLast(run_dir),
        ],
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        use_distributed_sampler=False,
        **options,
    )
    trainer.fit(model, datamodule=data)


def test_the_best_checkpoint_is_exported_verified_and_registered(
    recordings: Path, uri: str, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    register = Register("tape")
    logger = make_logger(Tracking(uri), run_dir, {})
    train(recordings, run_dir, register, logger, records=True)

    register.check()
    assert str(register) == "tape/1, tape@candidate"
    client = MlflowClient(uri)
    version = client.get_model_version_by_alias("tape", "candidate")
    best = read_checkpoint(run_dir / "best.ckpt")["tapezoo"]
    assert float(version.tags["val_esr"]) == pytest.approx(best["metrics"]["val_esr"], rel=1e-6)
    assert version.tags["dataset_hash"] == best["provenance"]["dataset_hash"]
    assert version.run_id == version.tags["source_run"] == logger.run_id, "the run holds its bundle"
    assert logger.run_id is not None
    run = client.get_run(logger.run_id)
    assert (run.info.status, run.data.tags["registered"]) == ("FINISHED", "tape/1")
    pull_bundle("models:/tape@candidate", tmp_path / "out", uri=uri)
    assert files(tmp_path / "out") == files(run_dir / "bundle")
    assert read_manifest(tmp_path / "out").architecture == "FIR"


def test_a_failing_export_says_why_and_leaves_run_and_checkpoint(
    recordings: Path,
    uri: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ParityError("onnx", found="another sound", expected="the net's", fix="Train again.")

    monkeypatch.setattr("tapezoo.export.export_checkpoint", fails)
    run_dir = tmp_path / "run"
    register = Register("tape")
    logger = make_logger(Tracking(uri), run_dir, {})
    train(recordings, run_dir, register, logger, records=True)

    with pytest.raises(TrainingError, match=r"another sound.*intact.*Train again.*tapezoo push"):
        register.check()
    assert str(register) == "tape: not registered"
    assert "another sound" in caplog.text
    assert read_checkpoint(run_dir / "best.ckpt")["tapezoo"]["architecture"] == "FIR"
    assert (run_dir / "report" / "transfer_curve.png").is_file()
    client = MlflowClient(uri)
    assert client.search_registered_models() == []
    assert logger.run_id is not None
    run = client.get_run(logger.run_id)
    assert (run.info.status, run.data.tags["status"]) == ("FINISHED", "finished")
    assert "another sound" in run.data.tags["registered"]


@pytest.mark.slow
def test_a_store_that_is_gone_at_the_end_costs_nothing_but_the_registration(
    recordings: Path, uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise ConnectionError("reset by peer")

    monkeypatch.setattr("tapezoo.tracking.push.push_bundle", gone)
    register = Register("tape")
    train(recordings, tmp_path / "run", register, make_logger(Tracking(uri), tmp_path / "run", {}))
    with pytest.raises(TrainingError, match="registering 'tape': found ConnectionError: reset by peer"):
        register.check()
    assert (tmp_path / "run" / "best.ckpt").is_file()
    assert (tmp_path / "run" / "bundle" / "manifest.json").is_file(), "ready for tapezoo push"


def test_an_untracked_run_is_refused_before_it_trains(recordings: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"a run that is not tracked.*trainer\.logger"):
        train(recordings, tmp_path / "run", Register("tape"), False)
    assert not (tmp_path / "run").exists()


def test_a_trial_registers_nothing(recordings: Path, tmp_path: Path) -> None:
    register = Register("tape")
    train(recordings, tmp_path / "run", register, False, fast_dev_run=True)
    assert str(register) == "tape: not registered"
    register.check()


def test_a_run_that_fails_registers_nothing(recordings: Path, uri: str, tmp_path: Path) -> None:
    class Interrupted(Register):
        def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
            if trainer.current_epoch == 1:
                raise RuntimeError("the disk is on fire")

    with pytest.raises(RuntimeError, match="on fire"):
        train(recordings, tmp_path / "run", Interrupted("tape"), make_logger(Tracking(uri), tmp_path, {}))
    assert MlflowClient(uri).search_registered_models() == []


@pytest.mark.parametrize(("name", "alias"), [("a/b", "candidate"), ("tape", "v1")])
def test_a_name_that_cannot_be_registered_is_refused_with_the_recipe(name: str, alias: str) -> None:
    with pytest.raises(VersionError):
        Register(name, alias)


@pytest.fixture
def tiny(recordings: Path, uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _process: None) -> Path:
    """The shipped recipe, made tiny and given the recordings."""
    monkeypatch.chdir(tmp_path)
    recipe = yaml.safe_load(RECIPE.read_text())
    recipe["model"]["init_args"]["hidden_size"] = 2
    recipe["data"] = {
        "class_path": "tapezoo.data.PairedAudio",
        "init_args": {
            "dry": str(recordings / "dry.wav"),
            "wet": str(recordings / "wet.wav"),
            "batch_size": 4,
            "segment_samples": 1024,
            "burn_in_samples": 64,
            "batches_per_epoch": 2,
        },
    }
    recipe["trainer"]["max_epochs"] = 1
    recipe["tracking"] = {"uri": uri}
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


def test_a_recipe_alone_ends_in_a_verified_registered_artifact(tiny: Path, uri: str, tmp_path: Path) -> None:
    assert main(["fit", "--config", str(tiny)]) == 0
    pull_bundle("models:/tape@candidate", tmp_path / "out", uri=uri)
    manifest = read_manifest(tmp_path / "out")
    assert (manifest.architecture, manifest.sample_rate) == ("LSTM", RATE)
    [version] = MlflowClient(uri).search_model_versions("name='tape'")
    assert version.tags["source_run"] == manifest.provenance["run_id"]


def test_a_training_that_could_not_be_registered_is_no_success(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ParityError("onnx", found="another sound", expected="the net's", fix="Train again.")

    monkeypatch.setattr("tapezoo.export.export_checkpoint", fails)
    assert main(["fit", "--config", str(tiny), "--run_dir", "run"]) == 2
    said = capsys.readouterr()
    assert "another sound" in said.err
    assert "registered   tape: not registered" in said.out
    assert (tmp_path / "run" / "best.ckpt").is_file()


def test_a_recipe_that_registers_is_refused_without_a_store(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "--config", str(tiny), "--trainer.logger", "false", "--run_dir", "run"]) == 2
    assert "trainer.logger" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
