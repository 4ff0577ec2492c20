"""`tapezoo fit` and its folder: resumed, copied, moved, stopped, without room on the disk."""

from __future__ import annotations

import errno
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import yaml
from test_verbs import RATE, RECIPE, SMALL, invoke, machine, programme

from tapezoo.callbacks.history import read_history
from tapezoo.checkpoint import read_checkpoint
from tapezoo.cli.run_folder import claim_folder
from tapezoo.models.lstm import LSTM

FIT = (
    *("fit", "--config", RECIPE, *SMALL, "--trainer.logger", "false"),
    *("--model.input_scale", "1", "--model.optimizer.lr", "1e-3"),  # steady after a few updates
    *("--data", "PairedAudio", "--data.dry", "dry.wav", "--data.wet", "wet.wav"),
)


@pytest.fixture(autouse=True)
def process() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings; a run of one epoch is added by the first test that wants it."""
    folder = tmp_path_factory.mktemp("shelf")
    dry = programme(3).astype(np.float32)
    soundfile.write(folder / "dry.wav", dry, RATE, subtype="FLOAT")
    soundfile.write(folder / "wet.wav", machine(dry), RATE, subtype="FLOAT")
    soundfile.write(folder / "other.wav", 0.5 * machine(dry), RATE, subtype="FLOAT")
    return folder


@pytest.fixture
def here(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: recordings alone."""
    shutil.copytree(shelf, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("run"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(shelf: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A run of one epoch in the working directory."""
    if not (shelf / "run").exists():
        assert invoke(capsys, *FIT, "--run_dir", "run").code == 0
        shutil.copytree("run", shelf / "run")
    else:
        shutil.copytree(shelf / "run", "run")
    return Path("run")


def change(path: Path, **own: Any) -> None:
    """Gives a checkpoint another record of itself."""
    content = torch.load(path, weights_only=True)
    content["tapezoo"].update(own)
    torch.save(content, path)


def at_step(monkeypatch: pytest.MonkeyPatch, epoch: int, action: Callable[[], None]) -> None:
    step = LSTM.training_step

    def training_step(self: LSTM, batch: Any, batch_idx: int) -> Any:
        if self.current_epoch == epoch and batch_idx == 1:
            action()
        return step(self, batch, batch_idx)

    monkeypatch.setattr(LSTM, "training_step", training_step)


def raised_where_it_is_lost() -> None:
    """Python ignores what is raised in `__del__`; torch and others have such code, where Ctrl-C may meet them."""

    class Dying:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGTERM)

    Dying()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- two runs ---


def test_recordings_that_are_refused_leave_no_folder(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write("wet.wav", np.zeros(3 * RATE), RATE)
    before = names(here)
    assert invoke(capsys, *FIT).code == 2
    assert invoke(capsys, *FIT, "--run_dir", "a/b").code == 2
    assert names(here) == before


def test_a_run_that_is_still_going_on_is_neither_replaced_nor_resumed(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with claim_folder(run, True, None, True):
        for options in (("--ckpt_path", "run/last.ckpt"), ("--run_dir", "run", "--overwrite", "true")):
            result = invoke(capsys, *FIT, *options)
            assert result.code == 2
            assert "run: found a training that is still running there" in result.err
    assert names(run) == ["best.ckpt", "config.yaml", "history.csv", "last.ckpt", "report"]


def test_a_run_folder_that_cannot_be_made_is_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = invoke(capsys, *FIT, "--run_dir", "/proc/x")
    assert result.code == 2
    assert "/proc/x: found a location that cannot be written" in result.err


# --- resuming ---


def test_a_worse_epoch_of_a_copied_run_does_not_replace_its_best(
    run: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(run / "best.ckpt", metrics={"val_esr": 0.000123})
    run.rename("moved")
    best = (here / "moved" / "best.ckpt").read_bytes()
    result = invoke(capsys, *FIT, "--trainer.max_epochs", "2", "--ckpt_path", "moved/last.ckpt")
    assert result.code == 0, result
    assert (here / "moved" / "best.ckpt").read_bytes() == best
    assert "best val_esr 0.00012;" in result.out
    assert "best 0.000123" in result.err  # of the progress line
    assert read_checkpoint(here / "moved" / "last.ckpt")["epoch"] == 1
    assert not Path("run").exists()


def test_a_better_epoch_than_the_file_says_replaces_it_whatever_the_last_one_remembers(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(run / "best.ckpt", metrics={"val_esr": 1e6})
    result = invoke(capsys, *FIT, "--trainer.max_epochs", "2", "--ckpt_path", "run/last.ckpt")
    assert result.code == 0, result
    assert read_checkpoint(run / "best.ckpt")["epoch"] == 1, result


def test_a_run_is_not_resumed_in_its_folder_on_other_recordings(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in run.glob("*.*")}
    more = ("--data.wet", "other.wav", "--trainer.max_epochs", "2", "--ckpt_path", "run/last.ckpt")
    result = invoke(capsys, *FIT, *more)
    assert result.code == 2
    assert "run/last.ckpt: found a training on the data set" in result.err
    assert {path: path.read_bytes() for path in run.glob("*.*")} == before
    result = invoke(capsys, *FIT, *more, "--run_dir", "new")
    assert result.code == 0, result
    assert (
        "run/last.ckpt continues in another folder; best.ckpt there is chosen from the new epochs"
        in result.out
    )
    assert read_checkpoint(Path("new/best.ckpt"))["epoch"] == 1


def test_a_recipe_of_a_moved_run_names_the_folder_of_its_checkpoint(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = yaml.safe_load((run / "config.yaml").read_text())
    assert recipe["run_dir"] is None  # what fit writes can be moved
    shutil.copytree(run, "moved")
    Path("moved/config.yaml").write_text(
        yaml.safe_dump({**recipe, "run_dir": "run"})
    )  # as a person writes it
    before = {path: path.read_bytes() for path in run.glob("*.*")}
    result = invoke(capsys, "test", "--ckpt_path", "moved/best.ckpt")
    assert result.code == 0, result
    assert Path("moved/report/test_clips.csv").exists()
    line = (
        "fit",
        "--config",
        "moved/config.yaml",
        "--ckpt_path",
        "moved/last.ckpt",
        "--trainer.max_epochs",
        "2",
    )
    result = invoke(capsys, *line)
    assert result.code == 0, result
    assert "run_dir of the recipe, run, is not used: moved holds the checkpoint" in result.out
    result = invoke(capsys, *line, "--run_dir", "run")
    assert result.code == 2
    assert "overwrite" not in result.err
    assert {path: path.read_bytes() for path in run.glob("*.*")} == before
    assert [row.epoch for row in read_history(Path("moved/history.csv"))] == [1, 2]


# --- broken off ---


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_sigterm_ends_a_training_as_every_verb_even_where_it_is_lost_and_keeps_its_checkpoints(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    at_step(monkeypatch, 1, raised_where_it_is_lost)
    result = invoke(capsys, *FIT, "--trainer.max_epochs", "3", "--run_dir", "run")
    assert result.code == 143
    assert (
        "stopped; kept run/best.ckpt and run/last.ckpt. Resume: add --ckpt_path run/last.ckpt" in result.out
    )
    assert "unexpected" not in result.err
    assert read_checkpoint(Path("run/last.ckpt"))["epoch"] == 0


def test_a_full_disk_is_named_and_the_checkpoints_before_it_stay_whole(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write = Path.write_bytes

    def full(self: Path, content: Any) -> int:
        write(self, bytes(content)[:100])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    at_step(monkeypatch, 1, lambda: monkeypatch.setattr(Path, "write_bytes", full))
    result = invoke(capsys, *FIT, "--trainer.max_epochs", "3", "--run_dir", "run")
    assert result.code == 2, result
    assert "ckpt: found a full disk (No space left on device)" in result.err
    assert "failed; kept run/best.ckpt and run/last.ckpt." in result.out
    for name in ("best.ckpt", "last.ckpt"):
        assert read_checkpoint(here / "run" / name)["epoch"] == 0
    assert not [name for name in names(here / "run") if "part" in name]


def test_a_report_without_room_on_the_disk_is_no_success(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*args: Any, **options: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", full)
    result = invoke(capsys, *FIT, "--run_dir", "run")
    assert result.code == 2, result
    assert "report/learning_curve.png: found a full disk" in result.err
    assert "checkpoint   run/best.ckpt" in result.out


def test_a_folder_that_is_moved_while_it_trains_is_not_made_again(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    at_step(monkeypatch, 1, lambda: Path("run").rename("moved"))
    result = invoke(capsys, *FIT, "--trainer.max_epochs", "3", "--run_dir", "run")
    assert result.code == 2, result
    assert "run: found a different folder than the one this training began in" in result.err
    assert not Path("run").exists()
    assert read_checkpoint(Path("moved/last.ckpt"))["epoch"] == 0


def test_what_the_line_says_holds_wherever_it_stands(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # the recipe of a run says that it has no checkpoint
    line = ("--trainer.logger", "false", "--ckpt_path", "run/best.ckpt", "--config", "run/config.yaml")
    assert invoke(capsys, "validate", *line).code == 0
