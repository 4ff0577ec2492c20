"""A part of the net first, then all of it."""

import pytest
import torch
from test_effect import Fixed, batch, trainer

from tapezoo.models.lstm import LSTM
from tapezoo.training import Staged
from tapezoo.training.errors import TrainingError


def model() -> LSTM:
    torch.manual_seed(1)
    objective = Staged(["linear_path"], first_epochs=2, tbptt_samples=512)
    return LSTM(hidden_size=4, burn_in_samples=128, objective=objective)


def moved(before: dict[str, torch.Tensor], net: torch.nn.Module) -> set[str]:
    return {name for name, value in net.named_parameters() if not torch.equal(value, before[name])}


def copy_of(net: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in net.named_parameters()}


def test_the_named_part_moves_first_and_everything_later_also_after_a_resume(tmp_path):
    data = Fixed([batch(samples=128 + 2 * 512)])
    first = model()
    start = copy_of(first.net)
    run = trainer(max_epochs=1)
    run.fit(first, datamodule=data)
    assert moved(start, first.net) == {"linear_path"}
    run.save_checkpoint(tmp_path / "one.ckpt")

    resumed = model()
    trainer(max_epochs=2).fit(resumed, data, ckpt_path=tmp_path / "one.ckpt", weights_only=True)
    assert moved(start, resumed.net) == {"linear_path"}
    assert moved(copy_of(first.net), resumed.net) == {"linear_path"}

    whole, parts = model(), model()
    trainer(max_epochs=3).fit(whole, datamodule=data)
    trainer(max_epochs=3).fit(parts, data, ckpt_path=tmp_path / "one.ckpt", weights_only=True)
    assert moved(start, whole.net) == set(start)
    for name, value in parts.net.named_parameters():
        torch.testing.assert_close(value, whole.net.get_parameter(name), rtol=0, atol=0)
    assert all(parameter.requires_grad for parameter in whole.net.parameters())


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("lstm", {"lstm.weight_ih_l0", "lstm.weight_hh_l0", "lstm.bias_ih_l0", "lstm.bias_hh_l0"}),
        ("*.weight_hh_*", {"lstm.weight_hh_l0"}),
    ],
)
def test_a_module_stands_for_what_is_in_it_and_a_pattern_for_what_it_fits(pattern, names):
    staged = LSTM(hidden_size=2, objective=Staged([pattern], first_epochs=9))
    before = copy_of(staged.net)
    trainer().fit(staged, datamodule=Fixed([batch()]))
    assert moved(before, staged.net) == names


def test_a_part_that_the_net_does_not_have_is_answered_with_what_there_is():
    with pytest.raises(TrainingError, match=r"linear_pat, which fits no parameter of LSTMNet.*linear_path"):
        LSTM(hidden_size=2, objective=Staged(["linear_pat"])).configure_optimizers()


@pytest.mark.parametrize(("first", "epochs", "words"), [([], 1, "names"), (["head"], 0, "1 or more")])
def test_a_stage_without_parameters_or_epochs_is_refused(first, epochs, words):
    with pytest.raises(TrainingError, match=words):
        Staged(first, epochs)
