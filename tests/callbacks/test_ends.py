"""Why a training ended, how much of it is left, and what its result is worth: in words."""

import io
import re

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import EarlyStopping, Timer
from torch.utils.data import DataLoader

from tapezoo.callbacks import AudioBudget, TimeLimit
from tapezoo.callbacks.ends import reason_of_end
from tapezoo.callbacks.progress import Progress
from tapezoo.data.batch import Batch
from tapezoo.models.fir import FIR
from tapezoo.report.floor import beside_floor_text
from tapezoo.screen import Screen

RATE, SAMPLES = 8000, 500


def trained(model_rate=1e-3, callbacks=(), **limits):
    """A trainer that has trained on two rows an epoch."""
    input = torch.randn(2, 1, SAMPLES, generator=torch.Generator().manual_seed(0))
    batch = Batch(input, 0.5 * input, torch.zeros(2, 0), torch.full((2,), SAMPLES), ["a", "b"])
    data = DataLoader([batch, batch], batch_size=None)
    model = FIR(taps=4, sample_rate=RATE, optimizer=lambda given: torch.optim.SGD(given, lr=model_rate))
    quiet = {"logger": False, "enable_model_summary": False, "enable_checkpointing": False}
    bar = {} if any(isinstance(each, Progress) for each in callbacks) else {"enable_progress_bar": False}
    trainer = Trainer(
        accelerator="cpu", callbacks=list(callbacks), num_sanity_val_steps=0, **quiet, **bar, **limits
    )
    trainer.fit(model, data, data)
    return trainer


class Enough(Callback):
    def on_train_epoch_end(self, trainer, pl_module):
        trainer.should_stop = True


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: trained(max_epochs=2), "all 2 epochs are done"),
        (lambda: trained(max_steps=3), "max_steps 3 is reached"),
        (lambda: trained(max_epochs=-1, max_time={"seconds": 1}), "max_time 0:00:01 is over; --trainer.max"),
        # Lightning counts an epoch that was cut short
        (
            lambda: trained(callbacks=[AudioBudget(0.06)], max_epochs=1),
            "the budget of 0.06 s of audio is used up",
        ),
        (
            lambda: trained(callbacks=[AudioBudget(0.2)], max_epochs=-1),
            "the budget of 0.2 s of audio is used up",
        ),
        (
            lambda: trained(1e-12, [EarlyStopping("val_esr", patience=2)], max_epochs=9),
            "early stopping: val_esr did not improve in 2 checks in a row",
        ),
        (lambda: trained(callbacks=[Enough()], max_epochs=9), "a callback of the recipe ended it"),
    ],
)
def test_the_one_true_reason_is_said(make, said):
    assert said in reason_of_end(make())


class Overdue(Timer):
    """A limit that passes while the last batch of an epoch is validated, and is not looked at meanwhile."""

    def _check_time_remaining(self, trainer):
        pass

    def time_remaining(self, stage="train"):
        return -1.0


def test_a_time_limit_that_passes_during_a_validation_begins_no_further_epoch():
    trainer = trained(callbacks=[Overdue("00:00:00:01"), TimeLimit()], max_epochs=9)
    assert trainer.current_epoch == 1


class Spy(Callback):
    """Looks at the bar after every batch."""

    def __init__(self, progress):
        self.progress, self.seen, self.said = progress, [], []

    def on_train_batch_end(self, *args):
        [task] = self.progress._bar.tasks
        self.seen.append(task.percentage)
        self.said.append(task.description)


@pytest.mark.parametrize(
    ("limits", "callbacks", "percent"),
    [
        ({"max_epochs": 2}, [], [25, 50, 75, 100]),
        ({"max_epochs": 50, "max_steps": 4}, [], [25, 50, 75, 100]),
        ({"max_epochs": 50}, [AudioBudget(4 * 2 * SAMPLES / RATE)], [25, 50, 75, 100]),
    ],
)
def test_the_bar_runs_to_whichever_limit_ends_the_training_and_counts_batches(limits, callbacks, percent):
    progress = Progress(Screen(file=io.StringIO(), force_terminal=True, width=200))
    spy = Spy(progress)
    trained(callbacks=[*callbacks, progress, spy], **limits)
    assert spy.seen == pytest.approx(percent)
    assert [re.search(r"batch \d/\d", said)[0] for said in spy.said] == ["batch 1/2", "batch 2/2"] * 2


@pytest.mark.parametrize(
    ("esr", "said"),
    [
        (0.03, "worse than the best linear filter: an equaliser would do better"),
        (0.02, "worse than the best linear filter"),
        (0.019, "hardly better than the best linear filter (0.2 dB)"),
        (0.002, "10.0 times better than the best linear filter (10.0 dB)"),
        (0.0, "the error is exactly 0"),
        (float("nan"), "no linear floor to compare with"),
    ],
)
def test_a_result_is_judged_by_what_an_equaliser_would_do(esr, said):
    assert said in beside_floor_text(esr, 0.02)
