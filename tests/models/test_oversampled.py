"""A net at a multiple of its rate: the delayed recurrence there, and what a linear net becomes in closed form."""

import numpy as np
import pytest
import torch
from scipy.signal import lfilter, upfirdn
from small_nets import perturbed

from tapezoo import checkpoint, testing
from tapezoo.devices.oversampling import lowpass
from tapezoo.measure.machine.aliasing import measure_aliasing
from tapezoo.measure.machine.machine import machine_of_net
from tapezoo.models.fir import FIRNet
from tapezoo.models.lstm import LSTM, LSTMNet
from tapezoo.models.other_rate import RecurrentAtRate
from tapezoo.models.oversampled import Oversampled, OversampleError, oversampled
from tapezoo.net import UndescribableError
from tapezoo.noisy import Noisy

NONE = torch.zeros(1, 0)
LATE = 72


class OversampledLSTM(LSTM):
    """A model that the laws can be checked on."""

    net_class = LSTMNet

    def build_net(self, factor=2, **arguments):
        arguments.pop("hyper_units", None)
        return Oversampled(LSTMNet(self.num_controls, **{**arguments, "memory_samples": 100.0}), factor)


def played(net, x):
    with torch.no_grad():
        state = {name: value.to(x.dtype) for name, value in net.initial_state(NONE).items()}
        return net(x, NONE, state)[0]


@pytest.mark.parametrize(
    "law", ["streaming", "pure", "causal", "controls", "rest", "checkpoint", "folded", "export"]
)
@pytest.mark.usefixtures("few_splits")
def test_law(law, monkeypatch):
    monkeypatch.setattr(checkpoint.models, "resolve", lambda name: OversampledLSTM)
    testing.CHECKS[law](perturbed(OversampledLSTM, testing.CONTROLS[:1], hidden_size=3, linear_taps=3))


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_a_linear_net_becomes_itself_after_both_filters(factor):
    torch.manual_seed(0)
    net = FIRNet(0, 9)
    with torch.no_grad():
        net.taps += torch.randn_like(net.taps)
    x = torch.randn(1, 1, 400, dtype=torch.float64)
    net = net.double()
    both = factor * np.convolve(lowpass(factor), lowpass(factor))[::factor]
    expected = lfilter(both, 1.0, played(net, x)[0, 0].numpy())
    output = played(Oversampled(net, factor).double(), x)[0, 0].numpy()
    np.testing.assert_allclose(output, expected, atol=1e-5)


@pytest.mark.parametrize("factor", [2, 4])
def test_up_to_20_khz_it_is_the_net_as_late_as_declared(factor):
    net = FIRNet(0, 2).double()
    made = Oversampled(net, factor).double()
    time = torch.arange(1000, dtype=torch.float64)
    assert made.latency_samples == LATE
    for hz in (50, 5000, 15000, 19900):
        x = torch.sin(2 * torch.pi * hz / 44100 * time).reshape(1, 1, -1)
        output = played(made, x)
        torch.testing.assert_close(
            output[..., 300:], played(net, x)[..., 300 - LATE : -LATE], atol=1e-4, rtol=0
        )


@pytest.mark.parametrize("factor", [2, 4])
def test_it_is_the_net_whose_state_is_delayed_at_the_higher_rate(factor):
    torch.manual_seed(0)
    net = LSTMNet(0, 4, memory_samples=50.0, input_scale=5.0).double()
    x = 0.5 * torch.randn(1, 1, 300, dtype=torch.float64)
    taps = lowpass(factor)
    high = upfirdn(factor * taps, x[0, 0].numpy(), up=factor)[: 300 * factor]
    slow = played(RecurrentAtRate(net, factor).double(), torch.from_numpy(high).reshape(1, 1, -1))[
        0, 0
    ].numpy()
    expected = lfilter(taps, 1.0, slow)[::factor]
    output = played(Oversampled(net, factor).double(), x)[0, 0].numpy()
    np.testing.assert_allclose(output[2 * LATE :], expected[2 * LATE :], atol=1e-5)


def test_it_has_fewer_aliases_than_the_net():
    torch.manual_seed(0)
    net = LSTMNet(0, 6, memory_samples=50.0, input_scale=30.0)
    plain, made = (
        measure_aliasing(machine_of_net(each, "", 44100, []), (4200.0,)).aliased_db[0]
        for each in (net, Oversampled(net, 4))
    )
    assert made < plain - 10


def test_by_one_it_is_the_net_itself():
    net = FIRNet(0, 2)
    assert oversampled(net, 1) is net


def test_what_cannot_be_oversampled_says_why():
    with pytest.raises(OversampleError, match="found 3; expected one of 2, 4, 8"):
        Oversampled(FIRNet(0, 2), 3)
    with pytest.raises(OversampleError, match="Noisy: found a net that reads a loop"):
        Oversampled(Noisy(FIRNet(0, 2), 2), 2)
    with pytest.raises(UndescribableError, match="between two filters"):
        Oversampled(FIRNet(0, 2), 2).described()
