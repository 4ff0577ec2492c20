"""Training against growing nudges of the state."""

import math
from functools import partial

import pytest
import torch
from test_effect import Fixed, batch, trainer

from tapezoo.models.fir import FIRNet
from tapezoo.models.lstm import LSTM, LSTMNet
from tapezoo.net import Net
from tapezoo.training import Steady, Supervised
from tapezoo.training.errors import TrainingError

NO_KNOBS = torch.zeros(8, 0)


class Decay(Net):
    """`m[n] = factor m[n-1]`, heard beside the input."""

    def __init__(self, factor):
        super().__init__(0, None)
        self.factor = torch.nn.Parameter(torch.tensor(factor))
        self.register_rest("memory", torch.ones(3))

    def forward(self, input, controls, state):
        power = self.factor ** torch.arange(1, input.shape[-1] + 1)
        output = input + state["memory"].mean(dim=-1)[:, None, None] * power
        return output, {"memory": state["memory"] * power[-1]}


@pytest.mark.parametrize(("factor", "forget"), [(0.9, 0.001), (1.01, 0.3), (0.99, 1.0), (0.5, 0.3)])
def test_the_penalty_is_what_a_nudge_becomes_over_what_may_be_left_of_it(factor, forget):
    net, samples = Decay(factor), 40
    state = net.initial_state(NO_KNOBS)
    input = torch.randn(8, 1, 2 * samples)
    growth = Steady(forget=forget, horizon_samples=40).growth(net, input, NO_KNOBS, state)
    expected = max(0.0, samples * math.log(factor) - math.log(forget))
    assert growth.item() == pytest.approx(expected, abs=1e-3)
    growth.backward()
    slope = samples / factor if expected else 0.0
    assert float(net.factor.grad) == pytest.approx(slope, rel=1e-3)


def test_nets_that_forget_by_construction_are_not_punished():
    net = FIRNet(0, taps=8)
    state = net.initial_state(NO_KNOBS)
    input = torch.randn(8, 1, 32)
    assert Steady().growth(net, input, NO_KNOBS, state).item() == 0


def trained(objective, loop=1.0, epochs=1, lr=1e-3) -> torch.nn.Module:
    torch.manual_seed(1)
    adam = partial(torch.optim.Adam, lr=lr)
    model = LSTM(hidden_size=6, burn_in_samples=64, objective=objective, optimizer=adam)
    with torch.no_grad():
        model.net.lstm.weight_hh_l0.mul_(loop)
    torch.manual_seed(2)
    trainer(max_epochs=epochs, limit_val_batches=0).fit(model, datamodule=Fixed([batch(8, 64 + 4 * 256)]))
    return model.net


def test_without_penalty_and_noise_it_is_supervised():
    own, plain = trained(Steady(0.0, tbptt_samples=256)), trained(Supervised(tbptt_samples=256))
    for name, value in own.named_parameters():
        assert torch.equal(value, plain.get_parameter(name))


def test_noise_is_heard():
    quiet, noisy = (trained(Steady(0.0, input_noise=noise, tbptt_samples=256)) for noise in (0.0, 0.1))
    changes = [(noisy.get_parameter(name) - value).abs().max() for name, value in quiet.named_parameters()]
    assert 1e-5 < float(max(changes).detach()) < 0.1


def growth_of(net: LSTMNet) -> float:
    """Of a nudge, over 256 samples, in nepers; below what is forgotten too."""
    torch.manual_seed(3)
    data = batch(32, 512, seed=5)
    knobs = torch.zeros(32, 0)
    with torch.no_grad():
        _, state = net(data.input[..., :256], knobs, net.initial_state(knobs))
        return float(
            Steady(forget=1e-6, horizon_samples=256).growth(net, data.input[..., 256:], knobs, state)
        )


def test_a_net_in_too_strong_a_loop_is_calmed_by_the_penalty():
    start = trained(Steady(tbptt_samples=256), loop=6.0, epochs=0)
    plain = trained(Supervised(tbptt_samples=256), loop=6.0, epochs=8, lr=0.01)
    calmed = trained(Steady(1.0, tbptt_samples=256), loop=6.0, epochs=8, lr=0.01)
    assert growth_of(calmed) < growth_of(plain) - 0.5, (growth_of(start), growth_of(plain), growth_of(calmed))


@pytest.mark.parametrize(
    "argument",
    [
        {"growth_weight": -0.1},
        {"horizon_samples": 0},
        {"forget": 0.0},
        {"forget": 1.1},
        {"input_noise": -1.0},
    ],
    ids=str,
)
def test_arguments_out_of_range_are_refused(argument):
    with pytest.raises(TrainingError, match=next(iter(argument))):
        Steady(**argument)
