"""What would crash, train nothing or be left undone is refused before the data are touched."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from command_lines import SMALL_RECIPE, parse_fit

from tapezoo.cli.faults import plain
from tapezoo.cli.training_arguments import check_optimizer
from tapezoo.errors import TapezooError, UsageError
from tapezoo.models.lstm import LSTM
from tapezoo.training.errors import TrainingError
from tapezoo.training.supervised import Supervised

pytestmark = pytest.mark.usefixtures("small_recipe")


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("threads", "1000000", "1 to "),
        ("seed_everything", "-7", "0 to 4294967295"),
        ("seed_everything", "4294967296", "0 to 4294967295"),
        ("trainer.max_epochs", "-5", "1 or more"),
        ("trainer.max_epochs", "0", "1 or more"),
        ("trainer.max_time", "00:00:00:00", "a time above 0"),
        ("trainer.max_steps", "-7", "1 or more"),
        ("trainer.min_epochs", "-1", "0 or more"),
        ("trainer.limit_train_batches", "0", "more than 0"),
        ("trainer.check_val_every_n_epoch", "0", "1 or more"),
        ("trainer.accumulate_grad_batches", "0", "--data.batch_size"),
        ("trainer.accumulate_grad_batches", "4", "--data.batch_size"),
        ("trainer.gradient_clip_val", "0.5", "--model.objective.gradient_clip_norm"),
        ("trainer.gradient_clip_algorithm", "norm", "--model.objective.gradient_clip_norm"),
        ("trainer.devices", "99", "one process on one device"),
        ("trainer.devices", "0", "one process on one device"),
        ("trainer.devices", "[0, 1]", "one process on one device"),
        ("trainer.devices", "0,1", "one process on one device"),
        ("trainer.num_nodes", "2", "one process on one device"),
        ("trainer.strategy", "ddp", "one process on one device"),
        ("trainer.sync_batchnorm", "true", "one process on one device"),
    ],
)
def test_an_argument_no_training_can_follow_is_refused(option: str, value: str, expected: str) -> None:
    with pytest.raises(TrainingError) as caught:
        parse_fit(f"--{option}", value)
    assert caught.value.subject == f"--{option}"
    assert expected in caught.value.expected


def test_a_number_that_is_none_is_refused_in_a_recipe(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(
        SMALL_RECIPE.replace(
            "hidden_size: 4",
            "objective: {class_path: tapezoo.training.Supervised, init_args: {gradient_clip_norm: .nan}}",
        )
    )
    with pytest.raises(TrainingError, match=r"--model\.objective\.gradient_clip_norm: found nan"):
        parse_fit()


def test_what_is_usual_is_taken() -> None:
    parse_fit(
        *("--trainer.devices", "1", "--trainer.strategy", "auto", "--trainer.max_epochs", "-1"),
        *("--trainer.max_steps", "5", "--trainer.limit_train_batches", "0.5", "--seed_everything", "7"),
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"lr": -1.0}, "-1"),
        ({"lr": 0.0}, "above 0"),
        ({"lr": float("inf")}, "above 0"),
        ({"lr": float("nan")}, "nan"),
        ({"weight_decay": -0.1}, "-0.1"),
        ({"weight_decay": float("inf")}, "0 or more"),
        ({"betas": (2.0, 0.9)}, "beta"),
    ],
)
def test_an_optimizer_that_cannot_be_is_refused_before_the_data(
    arguments: dict[str, float], words: str
) -> None:
    model = LSTM(hidden_size=4, optimizer=lambda parameters: torch.optim.Adam(parameters, **arguments))
    with pytest.raises(TapezooError, match=words):
        check_optimizer(model)


def test_an_optimizer_that_needs_a_closure_is_refused_before_the_data() -> None:
    with pytest.raises(UsageError, match="closure"):
        check_optimizer(LSTM(hidden_size=4, optimizer=torch.optim.LBFGS))


def test_checking_the_optimizer_changes_nothing() -> None:
    model = LSTM(hidden_size=4)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.random.get_rng_state()
    check_optimizer(model)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize("norm", [0.0, -1.0, float("nan")])
def test_a_gradient_norm_that_would_turn_gradients_around_is_refused(norm: float) -> None:
    with pytest.raises(TrainingError, match="gradient_clip_norm"):
        Supervised(gradient_clip_norm=norm)


def test_a_long_value_is_told_by_its_beginning() -> None:
    assert len(plain("Given value: " + "x" * 1000)) < 100
