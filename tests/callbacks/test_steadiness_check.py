"""An unsteady epoch never replaces a steady best one, also after a resume; and what is said of it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from lightning.pytorch import Callback, Trainer

from tapezoo.callbacks import BestAndLast, Progress, SteadinessCheck
from tapezoo.callbacks import steadiness as module
from tapezoo.callbacks.checkpointing import best_and_last
from tapezoo.checkpoint import read_checkpoint
from tapezoo.cli.training_report import say_result
from tapezoo.data import PairedAudio
from tapezoo.measure.steadiness import Steadiness
from tapezoo.models.fir import FIR
from tapezoo.models.lstm import LSTM
from tapezoo.report.card import card_parts
from tapezoo.report.steadiness import steadiness_table
from tapezoo.screen import Screen

RATE = 8000


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PairedAudio:
    folder = tmp_path_factory.mktemp("data")
    dry = np.random.default_rng(0).uniform(-0.5, 0.5, 6 * RATE)
    for name in ("dry", "wet"):
        gain = 1.0 if name == "dry" else 0.9
        soundfile.write(folder / f"{name}.wav", gain * dry, RATE, subtype="FLOAT")
    paths = {name: str(folder / f"{name}.wav") for name in ("dry", "wet")}
    return PairedAudio(**paths, batch_size=2, segment_samples=1024, cache_dir=str(folder / "cache"))


class Script(Callback):
    """Epochs with errors and figures of steadiness as told."""

    def __init__(self, epochs: Sequence[tuple[float, float]], monkeypatch: pytest.MonkeyPatch) -> None:
        self.epochs, self.measured, self.epoch = epochs, [], 0
        monkeypatch.setattr(module, "measure_steadiness", self.measure)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: Any) -> None:
        self.epoch = trainer.current_epoch

    def on_validation_start(self, trainer: Trainer, pl_module: Any) -> None:
        with torch.no_grad():
            pl_module.net.taps.zero_()
            pl_module.net.taps[..., -1] = 0.9 * (1 - self.epochs[self.epoch][0])

    def measure(self, net: Any, material: Any) -> Steadiness:
        self.measured.append(self.epoch)
        return Steadiness(-120 + 40 * self.epochs[self.epoch][1], -100, 0, -100)


def train(
    run_dir: Path,
    data: PairedAudio,
    script: Script,
    epochs: int,
    *callbacks: Callback,
    every_epochs: int = 100,
    **options: Any,
) -> Trainer:
    torch.manual_seed(0)
    model = FIR(taps=2, sample_rate=RATE)
    check = SteadinessCheck(every_epochs)
    run = Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        logger=False,
        callbacks=[check, *callbacks, script, BestAndLast(run_dir)],
        enable_progress_bar=bool(callbacks),
        enable_model_summary=False,
        num_sanity_val_steps=0,
        limit_train_batches=1,
        use_distributed_sampler=False,
    )
    run.fit(model, datamodule=data, weights_only=True, **options)
    return run


def best_epoch(run_dir: Path) -> int:
    return int(read_checkpoint(run_dir / "best.ckpt")["epoch"])


CASES = {
    "all steady: the best score": ([(0.3, 0.5), (0.1, 0.9), (0.2, 0.0)], 1, [0, 1]),
    "a better one that is not steady is left out": ([(0.3, 0.5), (0.1, 1.1), (0.2, 0.0)], 2, [0, 1, 2]),
    "a worse steady one takes the place of an unsteady one": (
        [(0.1, 2.0), (0.3, 0.5), (0.05, 2.0)],
        1,
        [0, 1, 2],
    ),
    "of unsteady ones the best score": ([(0.3, 2.0), (0.1, 3.0), (0.2, 1.5)], 1, [0, 1, 2]),
}


@pytest.mark.parametrize(("epochs", "best", "measured"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("stopped_after", [None, 2])
def test_the_best_is_the_best_steady_one(epochs, best, measured, stopped_after, data, tmp_path, monkeypatch):
    script = Script(epochs, monkeypatch)
    if stopped_after is not None:
        train(tmp_path, data, script, stopped_after)
        train(tmp_path, data, script, 3, ckpt_path=str(tmp_path / "last.ckpt"))
    else:
        train(tmp_path, data, script, 3)
    assert best_epoch(tmp_path) == best
    assert script.measured == measured
    metrics = read_checkpoint(tmp_path / "best.ckpt")["tapezoo"]["metrics"]
    assert metrics["val_steadiness"] == pytest.approx(epochs[best][1])
    assert metrics["val_esr"] == pytest.approx(epochs[best][0] ** 2, rel=1e-3)


def test_an_epoch_that_was_not_measured_claims_no_figure_and_some_are_measured_anyhow(
    data, tmp_path, monkeypatch
):
    script = Script([(0.1, 0.5), (0.2, 3.0), (0.3, 3.0)], monkeypatch)
    train(tmp_path, data, script, 3, every_epochs=2)
    assert "val_steadiness" not in read_checkpoint(tmp_path / "last.ckpt")["tapezoo"]["metrics"]
    assert script.measured == [0, 1]
    assert best_epoch(tmp_path) == 0


def test_without_the_check_the_score_alone_decides(data, tmp_path, monkeypatch):
    script = Script([(0.3, 0.0), (0.1, 9.0)], monkeypatch)
    monkeypatch.setattr(SteadinessCheck, "on_train_epoch_end", lambda *arguments: None)
    train(tmp_path, data, script, 2)
    assert best_epoch(tmp_path) == 1


def test_progress_and_the_last_lines_say_what_was_not_kept_and_resuming_goes_on_counting(
    data, tmp_path, monkeypatch
):
    script = Script([(0.3, 0.0), (0.1, 9.0), (0.05, 9.0), (0.2, 0.5)], monkeypatch)
    shown = io.StringIO()
    progress = Progress(Screen(file=shown, force_terminal=False), line_interval_s=0.0)
    train(tmp_path, data, script, 2, progress)
    run = train(tmp_path, data, script, 4, progress, ckpt_path=str(tmp_path / "last.ckpt"))
    lines = shown.getvalue().splitlines()
    assert ["not steady: rounding errors reach" in line for line in lines] == [False, True, True, False]
    assert [line.split("best ")[1].split()[0] for line in lines] == ["0.09", "0.09", "0.09", "0.04"]
    assert run.callbacks[0].refused == 2
    assert float(best_and_last(run).best_model_score) == pytest.approx(0.04, rel=1e-3)

    said = io.StringIO()
    say_result(Screen(file=said, force_terminal=False, width=400), tmp_path, run, {257: 0.1}, None)
    assert "2 epochs with better scores were not steady and not kept" in said.getvalue()
    assert "steadiness   steady: the largest figure is at 0.5 of its limit" in said.getvalue()


def test_a_run_without_a_steady_epoch_says_so_at_its_end_and_on_the_card(data, tmp_path, monkeypatch):
    script = Script([(0.3, 2.0)], monkeypatch)
    run = train(tmp_path, data, script, 1)
    said = io.StringIO()
    say_result(Screen(file=said, force_terminal=False, width=400), tmp_path, run, {257: 0.1}, None)
    assert "NOT steady: rounding errors reach -40 dB" in said.getvalue()
    metrics = read_checkpoint(tmp_path / "best.ckpt")["tapezoo"]["metrics"]
    manifest = SimpleNamespace(**dict.fromkeys(FIELDS), metrics=metrics, **EMPTY)
    [line] = [
        part for part in card_parts(manifest, tmp_path) if isinstance(part, str) and "Steadiness" in part
    ]
    assert "NOT steady: rounding errors reach -40 dB" in line


FIELDS = ("receptive_field", "sample_rate", "latency_samples", "settle_samples", "max_block_samples", "grid")
EMPTY: dict[str, Any] = {
    "architecture": "FIR",
    "hop_samples": 1,
    "controls": [],
    "cost": {},
    "targets": {},
    "parity": [],
    "degradation": [],
    "provenance": {},
}


class Loop(Callback):
    """A poor filter first, then a good one beside a loop that plays on by itself."""

    def on_validation_start(self, trainer: Trainer, pl_module: Any) -> None:
        net, second = pl_module.net, trainer.current_epoch == 1
        with torch.no_grad():
            net.linear_path.fill_(0.9 if second else 0.72)
            net.head.bias.zero_()
            net.head.weight.fill_(0.02 if second else 0.0)
            if second:
                net.lstm.weight_hh_l0.mul_(20.0)
                net.lstm.weight_ih_l0.mul_(10.0)


def test_a_net_that_really_is_unsteady_is_not_kept_and_its_figures_are_stored(data, tmp_path):
    torch.manual_seed(0)
    model = LSTM(hidden_size=16, sample_rate=RATE, optimizer=lambda p: torch.optim.SGD(p, lr=1e-9))
    run = Trainer(
        accelerator="cpu",
        max_epochs=2,
        logger=False,
        # the loop is put in place before the model settles for its validation
        callbacks=[
            Loop(),
            SteadinessCheck(),
            BestAndLast(tmp_path),
        ],
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        limit_train_batches=1,
        use_distributed_sampler=False,
    )
    run.fit(model, datamodule=data)
    best, last = (
        read_checkpoint(tmp_path / name)["tapezoo"]["metrics"] for name in ("best.ckpt", "last.ckpt")
    )
    assert last["val_esr"] < best["val_esr"] == pytest.approx(0.04, rel=0.01)
    assert best["val_steadiness"] <= 1 < last["val_steadiness"]
    assert run.callbacks[1].refused == 1
    [before, after] = (float(of["val_steadiness_ringing_db"]) for of in (best, last))
    assert before == -300
    assert after > -40


def test_the_table_has_every_part_with_its_limit():
    found = Steadiness(-130.0, -20.0, 5.0, -90.0, {"duller": 5.0, "brighter": 1.0})
    table = steadiness_table(found)
    assert [(row[1], row[2]) for row in table.rows] == [(-130, -80), (-20, 20), (-90, -40), (5, 12), (1, 12)]
    assert "duller" in table.rows[3][0]
