"""Whole small trainings: what a run leaves behind, however it ends."""

from __future__ import annotations

import io
import json
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from mlflow import MlflowClient
from scipy.signal import lfilter

from tapezoo.callbacks import BestAndLast, History, Progress, RunRecorder
from tapezoo.callbacks.checkpointing import WholeFiles, best_and_last
from tapezoo.callbacks.recorder import best_net
from tapezoo.callbacks.register import best_of
from tapezoo.checkpoint import read_checkpoint
from tapezoo.data import PairedAudio
from tapezoo.errors import UnwritableOutputError
from tapezoo.measure.playing import play
from tapezoo.models.fir import FIR
from tapezoo.models.grey_box import GreyBox
from tapezoo.models.wiener_hammerstein import WienerHammerstein
from tapezoo.screen import Screen
from tapezoo.tracking import TrackedRun, Tracking, make_logger
from tapezoo.training.errors import NonFiniteLossError

RATE = 8000
CONFIG = "seed_everything: 0\n"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PairedAudio:
    folder = tmp_path_factory.mktemp("data")
    dry = np.random.default_rng(0).uniform(-0.5, 0.5, 12 * RATE)
    soundfile.write(folder / "dry.wav", dry, RATE, subtype="FLOAT")
    soundfile.write(folder / "wet.wav", lfilter([0.5, 0.3], [1], dry), RATE, subtype="FLOAT")
    return PairedAudio(
        dry=str(folder / "dry.wav"),
        wet=str(folder / "wet.wav"),
        batch_size=8,
        segment_samples=1024,
        burn_in_samples=64,
        cache_dir=str(folder / "cache"),
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one MLflow database for all tests: making it takes seconds."""
    return tmp_path_factory.mktemp("store")


def model(lr: float = 0.05) -> FIR:
    torch.manual_seed(0)
    return FIR(
        taps=4,
        sample_rate=RATE,
        burn_in_samples=64,
        optimizer=lambda parameters: torch.optim.Adam(parameters, lr=lr),
    )


def trainer(
    run_dir: Path, logger: Any, *callbacks: Callback, epochs: int = 3, excerpts: int = 2, **options: Any
) -> Trainer:
    recorder = RunRecorder(run_dir, CONFIG, excerpt_s=0.25, excerpts=excerpts)
    return Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        logger=logger,
        callbacks=[History(run_dir), recorder, BestAndLast(run_dir), *callbacks],
        enable_progress_bar=any(isinstance(callback, Progress) for callback in callbacks),
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        use_distributed_sampler=False,
        **options,
    )


def tracked(store: Path, run_dir: Path) -> TrackedRun:
    return make_logger(Tracking(f"sqlite:///{store}/mlruns.db"), run_dir, {})


def run_of(store: Path, logger: TrackedRun) -> Any:
    assert logger.run_id is not None
    return MlflowClient(f"sqlite:///{store}/mlruns.db").get_run(logger.run_id)


class Raise(Callback):
    """Ends the second epoch with `error`."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def on_train_batch_start(self, trainer: Trainer, *args: Any) -> None:
        if trainer.current_epoch == 1:
            raise self.error


def test_a_finished_run_holds_recipe_tags_metrics_checkpoint_sound_and_pictures(
    data: PairedAudio, store: Path, tmp_path: Path
) -> None:
    logger = tracked(store, tmp_path)
    trainer(tmp_path, logger).fit(model(), datamodule=data)

    run = run_of(store, logger)
    assert run.info.status == "FINISHED"
    tags = run.data.tags
    assert (tags["status"], tags["architecture"]) == ("finished", "FIR")
    assert tags["dataset_hash"] == data.dataset_hash != ""
    assert tags["torch"] == torch.__version__.split("+")[0] or tags["torch"] == torch.__version__
    client = MlflowClient(f"sqlite:///{store}/mlruns.db")
    assert logger.run_id is not None
    for name in ("train_loss", "val_esr"):  # one point per epoch, not per step
        assert [at.step for at in client.get_metric_history(logger.run_id, name)] == [0, 1, 2]

    (used,) = client.get_run(logger.run_id).inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("wet.wav", data.dataset_hash[:36])
    assert json.loads(used.dataset.profile)["sample_rate"] == RATE
    best = read_checkpoint(tmp_path / "best.ckpt")["tapezoo"]
    assert client.get_run(logger.run_id).data.metrics["best_val_esr"] == pytest.approx(
        best["metrics"]["val_esr"]
    )
    assert best["provenance"]["recordings"] == "wet.wav"

    artifacts = store / "mlartifacts" / logger.run_id / "artifacts"
    assert (artifacts / "config.yaml").read_text() == CONFIG == (tmp_path / "config.yaml").read_text()
    assert (artifacts / "checkpoints" / "best.ckpt").read_bytes() == (tmp_path / "best.ckpt").read_bytes()
    kept = sorted(path.name for path in (artifacts / "report").iterdir())
    assert kept == sorted(path.name for path in (tmp_path / "report").iterdir())
    assert {"transfer_curve.png", "error_spectrum.png", "delay.png", "steadiness.csv"} <= {*kept}
    for ending in ("input.wav", "target.wav", "output.wav", "spectrograms.png", "waveforms.png"):
        assert any(name.endswith(f"_{ending}") for name in kept)
    assert (
        read_checkpoint(tmp_path / "best.ckpt")["tapezoo"]["provenance"]["dataset_hash"] == data.dataset_hash
    )


def test_the_excerpts_are_what_the_best_checkpoint_makes_of_the_recording(
    data: PairedAudio, tmp_path: Path
) -> None:
    class Spoil(Callback):
        """Ruins the weights once the best checkpoint is written."""

        def on_train_epoch_start(self, trainer: Trainer, pl_module: Any) -> None:
            if trainer.current_epoch == 2:
                pl_module.net.taps.data.fill_(3.0)

    trained = model()
    trainer(tmp_path, False, Spoil()).fit(trained, datamodule=data)
    heard = {
        path.stem.rsplit("_", 1)[1]: soundfile.read(path)[0]
        for path in (tmp_path / "report").glob("*_typical_*.wav")
    }
    taps = read_checkpoint(tmp_path / "best.ckpt")["state_dict"]["net.taps"][0, 0].numpy()
    assert len(heard["input"]) == RATE // 4
    expected = lfilter(taps[::-1], [1], heard["input"])
    np.testing.assert_allclose(heard["output"][4:], expected[4:], atol=1e-5)
    np.testing.assert_allclose(heard["target"][4:], lfilter([0.5, 0.3], [1], heard["input"])[4:], atol=1e-5)
    assert float(trained.net.taps.detach().abs().max()) > 2  # the last weights are others


@pytest.mark.parametrize(
    ("error", "raised", "status", "mlflow_status"),
    [
        (KeyboardInterrupt(), SystemExit, "interrupted", "KILLED"),
        (RuntimeError("boom"), RuntimeError, "failed", "FAILED"),
        (
            NonFiniteLossError("training", found="nan", expected="", fix=""),
            NonFiniteLossError,
            "nan",
            "FAILED",
        ),
    ],
)
def test_a_run_that_breaks_off_is_marked_and_keeps_its_checkpoints_and_report(
    error: BaseException,
    raised: type[BaseException],
    status: str,
    mlflow_status: str,
    data: PairedAudio,
    store: Path,
    tmp_path: Path,
) -> None:
    logger = tracked(store, tmp_path)
    with pytest.raises(raised):
        trainer(tmp_path, logger, Raise(error)).fit(model(), datamodule=data)
    run = run_of(store, logger)
    assert (run.info.status, run.data.tags["status"]) == (mlflow_status, status)
    assert (tmp_path / "best.ckpt").is_file()
    assert (tmp_path / "last.ckpt").is_file()
    names = {path.name for path in (tmp_path / "report").iterdir()}
    assert {"learning_curve.png", "transfer_curve.png", "harmonics.png", "excerpts.csv"} <= names


def test_a_report_that_fails_does_not_fail_the_run(
    data: PairedAudio, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "report").write_text("a file where the folder should be")
    trainer(tmp_path, False).fit(model(), datamodule=data)
    assert any("report could not be written" in record.message for record in caplog.records)


@pytest.mark.parametrize(
    ("explained", "blocks"),
    [
        (
            lambda: GreyBox(peaks=0, followers=1, sample_rate=RATE, burn_in_samples=64),
            ["1_input_equaliser", "2_lag", "3_curve", "4_output_equaliser"],
        ),
        (
            lambda: WienerHammerstein(taps=4, units=2, sample_rate=RATE, burn_in_samples=64),
            ["1_first_filter", "2_static_curve", "3_second_filter"],
        ),
    ],
    ids=["GreyBox", "WienerHammerstein"],
)
@pytest.mark.usefixtures("drawn_blocks")
def test_the_report_of_a_net_that_explains_itself_has_a_picture_of_each_block(
    explained: Any, blocks: list[str], data: PairedAudio, tmp_path: Path
) -> None:
    training = trainer(tmp_path, False, epochs=1, excerpts=0, limit_train_batches=1)
    training.fit(explained(), datamodule=data)
    pictures = sorted((tmp_path / "report").glob("block_*"))
    assert [path.name for path in pictures] == [f"block_{name}.png" for name in blocks]
    assert all(path.stat().st_size > 5000 for path in pictures)


def test_a_trial_run_leaves_nothing(data: PairedAudio, tmp_path: Path) -> None:
    trainer(tmp_path, False, fast_dev_run=True).fit(model(), datamodule=data)
    assert list(tmp_path.iterdir()) == []


def test_checkpoints_have_fixed_names_and_the_last_is_the_last_epoch_not_the_last_improvement(
    data: PairedAudio, tmp_path: Path
) -> None:
    class Scores(Callback):
        """Keeps val_esr by epoch."""

        def __init__(self) -> None:
            self.by_epoch: list[float] = []

        def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
            self.by_epoch.append(float(trainer.callback_metrics["val_esr"]))

    class Worsen(Callback):
        """From the third epoch on, no epoch is better than the second."""

        def on_train_epoch_start(self, trainer: Trainer, pl_module: Any) -> None:
            if trainer.current_epoch >= 2:
                pl_module.net.taps.data.fill_(3.0)

    scores = Scores()
    trainer(tmp_path, False, scores, Worsen(), epochs=4).fit(model(lr=0.01), datamodule=data)
    assert sorted(path.name for path in tmp_path.glob("*.ckpt*")) == ["best.ckpt", "last.ckpt"]
    best, last = (read_checkpoint(tmp_path / name) for name in ("best.ckpt", "last.ckpt"))
    assert (best["epoch"], last["epoch"]) == (1, 3), scores.by_epoch
    assert best["tapezoo"]["metrics"]["val_esr"] == pytest.approx(scores.by_epoch[1])
    assert min(scores.by_epoch) == scores.by_epoch[1] < scores.by_epoch[3]
    assert last["tapezoo"]["metrics"]["val_esr"] == pytest.approx(scores.by_epoch[3])
    kept = (tmp_path / "best.ckpt").read_bytes()

    scores = Scores()
    resumed = trainer(tmp_path, False, scores, Worsen(), epochs=5)
    resumed.fit(model(lr=0.01), datamodule=data, ckpt_path=str(tmp_path / "last.ckpt"), weights_only=True)
    assert len(scores.by_epoch) == 1  # four epochs are done
    assert (tmp_path / "best.ckpt").read_bytes() == kept  # the best of before is still known


def test_the_best_is_ours_whatever_a_recipe_keeps_besides(tmp_path: Path) -> None:
    (tmp_path / "best.ckpt").touch()
    ours = BestAndLast(tmp_path)
    ours.best_model_path = str(tmp_path / "best.ckpt")
    others = ModelCheckpoint(tmp_path / "recent", monitor="train_loss")
    training = Trainer(accelerator="cpu", logger=False, callbacks=[others, ours])
    assert best_and_last(training) is ours
    assert best_of(training) == tmp_path / "best.ckpt"


def test_a_checkpoint_is_written_beside_its_place_whatever_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, moved = tmp_path / "last.ckpt", []
    replace = Path.replace
    monkeypatch.setattr(
        Path, "replace", lambda self, target: moved.append(self.parent) or replace(self, target)
    )
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    WholeFiles().save_checkpoint({"epoch": 1}, path)
    assert moved == [tmp_path]
    assert torch.load(path) == {"epoch": 1}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(UnwritableOutputError, match="full disk"):
            WholeFiles().save_checkpoint({"weights": torch.zeros(4096)}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert torch.load(path) == {"epoch": 1}
    assert list(tmp_path.iterdir()) == [path]


# --- parts ---


def test_the_best_net_is_a_copy(data: PairedAudio, tmp_path: Path) -> None:
    trained = model()
    trainer(tmp_path, False).fit(trained, datamodule=data)
    twin = best_net(trained.net, tmp_path / "best.ckpt")
    before = play(twin, np.ones((1, 9)), [])
    with torch.no_grad():
        trained.net.taps.fill_(0.0)
    np.testing.assert_array_equal(play(twin, np.ones((1, 9)), []), before)
    assert not twin.training


def test_without_a_terminal_progress_is_plain_lines_with_val_esr(data: PairedAudio, tmp_path: Path) -> None:
    text = io.StringIO()
    progress = Progress(Screen(file=text, force_terminal=False), line_interval_s=0.0)
    trainer(tmp_path, False, progress).fit(model(), datamodule=data)
    lines = text.getvalue().splitlines()
    assert len(lines) == 3  # one per epoch, the last one once
    assert lines[0].startswith("epoch 1/3")
    assert lines[-1].startswith("epoch 3/3")
    assert all("val_esr 0." in line and "train_loss" in line and "best" in line for line in lines)
    assert "\r" not in text.getvalue()
    assert "\x1b" not in text.getvalue()


def test_on_a_terminal_one_bar_shows_the_whole_training(data: PairedAudio, tmp_path: Path) -> None:
    text = io.StringIO()
    progress = Progress(Screen(file=text, force_terminal=True, width=120))
    with pytest.raises(RuntimeError, match="boom"):
        trainer(tmp_path, False, progress, Raise(RuntimeError("boom"))).fit(model(), datamodule=data)
    assert "val_esr" in text.getvalue()
    assert text.getvalue().rstrip().endswith("\x1b[?25h")  # the cursor is given back
