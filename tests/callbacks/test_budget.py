"""A training that an amount of audio ends, and the history it leaves."""

import math

import pytest
import torch
from lightning.pytorch import Trainer
from torch.utils.data import DataLoader

from tapezoo.callbacks import AudioBudget, BestAndLast, History
from tapezoo.callbacks.history import read_history
from tapezoo.data.batch import Batch
from tapezoo.models.fir import FIR
from tapezoo.training.errors import TrainingError
from tapezoo.training.schedules import CosineDecay

RATE, ROWS, SAMPLES = 8000, 2, 1000
BATCH_S = ROWS * SAMPLES / RATE


def loader() -> DataLoader:
    generator = torch.Generator().manual_seed(0)
    batches = []
    for _ in range(2):
        input = torch.randn(ROWS, 1, SAMPLES, generator=generator)
        lengths = torch.full((ROWS,), SAMPLES)
        batches.append(Batch(input, 0.5 * input, torch.zeros(ROWS, 0), lengths, ["a", "b"]))
    return DataLoader(batches, batch_size=None)


class Watched(FIR):
    """Remembers the rate of every step."""

    def training_step(self, batch, batch_idx):
        self.rates.append(self.optimizers().param_groups[0]["lr"])
        return super().training_step(batch, batch_idx)


def train(folder, audio_s, checkpoint=None) -> list[float]:
    model = Watched(
        taps=4,
        sample_rate=RATE,
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=1.0),
        lr_scheduler=CosineDecay,
    )
    model.rates = []
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=-1,
        callbacks=[AudioBudget(audio_s), History(folder), BestAndLast(folder)],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(model, loader(), loader(), ckpt_path=checkpoint, weights_only=True)
    return model.rates


def test_the_training_and_its_schedule_end_with_the_budget_in_the_middle_of_an_epoch(tmp_path):
    rates = train(tmp_path, 4.5 * BATCH_S)
    expected = [(1 + math.cos(math.pi * step / 4.5)) / 2 for step in range(5)]
    assert rates == pytest.approx(expected)
    history = read_history(tmp_path / "history.csv")
    assert [row.updates for row in history] == [2, 4, 5]
    assert [row.audio_s for row in history] == pytest.approx([2 * BATCH_S, 4 * BATCH_S, 5 * BATCH_S])
    assert all(row.val_esr is not None for row in history)
    assert [row.train_cpu_s for row in history] == sorted(row.train_cpu_s for row in history)
    assert all(row.train_wall_s < row.wall_s for row in history)


def test_a_resumed_training_spends_what_is_left_and_one_that_has_spent_it_all_ends(tmp_path):
    train(tmp_path, 4 * BATCH_S)
    before = read_history(tmp_path / "history.csv")
    last = tmp_path / "last.ckpt"
    assert train(tmp_path, 4 * BATCH_S, last) == []
    rates = train(tmp_path, 6 * BATCH_S, last)
    assert rates == pytest.approx([(1 + math.cos(math.pi * step / 6)) / 2 for step in (4, 5)])
    after = read_history(tmp_path / "history.csv")
    assert after[:2] == before
    assert after[2].audio_s == pytest.approx(6 * BATCH_S)


@pytest.mark.parametrize("audio_s", [0.0, -1.0, math.inf, math.nan])
def test_a_budget_nobody_can_spend_is_refused(audio_s):
    with pytest.raises(TrainingError, match=r"AudioBudget\.audio_seconds: found .*above 0"):
        AudioBudget(audio_s)
