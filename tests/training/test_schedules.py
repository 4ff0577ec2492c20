"""The learning-rate schedule, and the length it spans."""

import math
from datetime import timedelta

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Timer

from tapezoo.callbacks import AudioBudget
from tapezoo.training.errors import TrainingError
from tapezoo.training.length import TrainingLength, training_length
from tapezoo.training.schedules import CosineDecay


def trainer(*callbacks, **options):
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    return Trainer(
        accelerator="cpu", callbacks=list(callbacks), enable_model_summary=False, **quiet, **options
    )


def test_the_rate_follows_half_a_cosine_over_the_whole_training():
    schedule = CosineDecay(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.4), final_ratio=0.1)
    rates = []
    for epoch in range(9):
        schedule.reach(epoch / 8)
        rates.append(schedule.optimizer.param_groups[0]["lr"])
        assert schedule.get_last_lr() == rates[-1:]
    expected = [0.4 * (0.1 + 0.9 * (1 + math.cos(math.pi * epoch / 8)) / 2) for epoch in range(9)]
    assert rates == pytest.approx(expected)
    assert rates[-1] == pytest.approx(0.04)


def test_a_resumed_schedule_starts_from_the_full_rate():
    parameter = torch.nn.Parameter(torch.zeros(1))
    schedule = CosineDecay(torch.optim.SGD([parameter], lr=1.0))
    schedule.reach(0.5)
    resumed = CosineDecay(torch.optim.SGD([parameter], lr=1.0))
    resumed.load_state_dict(schedule.state_dict())
    assert resumed.get_last_lr() == pytest.approx([0.5])
    resumed.reach(0.25)  # the training became twice as long
    assert resumed.get_last_lr() == pytest.approx([(1 + math.cos(math.pi / 4)) / 2])


def test_the_training_is_as_long_as_whatever_ends_first():
    budget = AudioBudget(60.0)
    length = training_length(trainer(budget, max_epochs=10))
    length.choose_limit(5)
    assert length.fraction_done(5) == pytest.approx(0.5)
    assert length.fraction_done(5.5) == pytest.approx(0.55)
    budget.trained_s = 54.0
    length.choose_limit(6)
    assert length.fraction_done(6) == pytest.approx(0.9)
    budget.trained_s = 70.0
    assert length.fraction_done(6.5) == 1.0


def test_time_alone_is_a_length(monkeypatch):
    run = trainer(max_epochs=-1, max_time=timedelta(seconds=200))
    [timer] = [callback for callback in run.callbacks if isinstance(callback, Timer)]
    timer.load_state_dict({"time_elapsed": {"train": 50.0}})  # as a resumed training does
    length = training_length(run)
    length.choose_limit(3)
    assert length.fraction_done(3) == pytest.approx(0.25)


def test_a_clock_does_not_decide_where_a_count_does():
    length = TrainingLength([lambda epochs_done: epochs_done / 4, lambda epochs_done: 1e-5])
    length.choose_limit(0)
    assert length.fraction_done(0) == 0.0


def test_a_training_without_end_has_no_length():
    length = training_length(trainer(max_epochs=-1))
    length.choose_limit(0)
    with pytest.raises(TrainingError, match=r"trainer\.max_epochs or trainer\.max_time"):
        length.fraction_done(0)
