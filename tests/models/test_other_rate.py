"""A trained LSTM or GRU at another sample rate: the old net at whole ratios, near to it between them, and the laws."""

import numpy as np
import pytest
import torch
from numpy_cells import lstm_step
from scipy.interpolate import lagrange
from small_nets import perturbed

from tapezoo import checkpoint, testing
from tapezoo.layers.delayed_recurrence import delay_taps, spread_taps
from tapezoo.models.gru import GRUNet
from tapezoo.models.lstm import LSTM, LSTMNet
from tapezoo.models.other_rate import OtherRateError, RecurrentAtRate, at_sample_rate
from tapezoo.models.wavenet import WaveNetNet

NONE = torch.zeros(1, 0)
RATIO = 96000 / 44100


class LSTMAtRate(LSTM):
    """A model that the laws can be checked on."""

    net_class = LSTMNet
    plain = LSTMNet

    def build_net(self, ratio=RATIO, **arguments):
        small = {"hidden_size": 3, "memory_samples": 100.0}
        arguments.pop("hyper_units", None)
        return RecurrentAtRate(self.plain(self.num_controls, **{**arguments, **small}), ratio)


class GRUAtRate(LSTMAtRate):
    net_class = GRUNet
    plain = GRUNet


def made(kind=LSTMNet, **arguments):
    torch.manual_seed(0)
    net = kind(0, **{"hidden_size": 4, "memory_samples": 50.0, "input_scale": 5.0, **arguments})
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return net.double().eval()


def played(net, x):
    with torch.no_grad():
        state = {name: value.to(x.dtype) for name, value in net.initial_state(NONE).items()}
        return net(x, NONE, state)[0]


LAWS = [
    "streaming",
    "pure",
    "causal",
    "gradients",
    "controls",
    "finite",
    "rest",
    "checkpoint",
    "folded",
    "described",
    "export",
]


# the GRU shares all but its cell; tests/cli/test_export_verb.py takes one through the gate
@pytest.mark.parametrize(("model", "law"), [*((LSTMAtRate, law) for law in LAWS), (GRUAtRate, "described")])
def test_law(model, law, monkeypatch):
    monkeypatch.setattr(checkpoint.models, "resolve", lambda name: model)
    testing.CHECKS[law](perturbed(model, testing.CONTROLS[:1], linear_taps=3, num_layers=1))


@pytest.mark.parametrize("kind", [LSTMNet, GRUNet])
@pytest.mark.parametrize("ratio", [2, 3])
def test_at_a_whole_ratio_every_phase_of_the_signal_is_played_as_the_net_plays_it(kind, ratio):
    net = made(kind, num_layers=2)
    x = torch.randn(1, 1, 30 * ratio, dtype=torch.float64)
    output = played(RecurrentAtRate(net, ratio).double(), x)
    for phase in range(ratio):
        torch.testing.assert_close(
            output[..., phase::ratio], played(net, x[..., phase::ratio]), atol=1e-12, rtol=0
        )


@pytest.mark.parametrize("ratio", [48000 / 44100, RATIO])
def test_between_the_samples_the_states_are_read_by_a_polynomial_through_four_of_them(ratio):
    net = made()
    weights = {name: value.numpy() for name, value in net.state_dict().items()}
    x = np.random.default_rng(0).standard_normal(40)
    first = max(1, int(ratio) - 1)
    states = [np.zeros((2, 4)) for _ in range(first + 3)]
    expected = []
    for sample in x:
        ages = range(first, first + 4)
        h, c = (
            np.array(
                [
                    np.polyval(lagrange(ages, [states[-age][part][unit] for age in ages]), ratio)
                    for unit in range(4)
                ]
            )
            for part in (0, 1)
        )
        states.append(np.stack(lstm_step(weights, "lstm", sample, h, c)))
        own = weights["head.weight"][0] @ states[-1][0] + weights["head.bias"][0]
        expected.append(own + weights["linear_path"].item() * sample)
    output = played(RecurrentAtRate(net, ratio).double(), torch.from_numpy(x).reshape(1, 1, -1))
    np.testing.assert_allclose(output[0, 0].numpy(), expected, atol=1e-6)  # the taps are in single precision


@pytest.mark.parametrize("kind", [LSTMNet, GRUNet])
@pytest.mark.parametrize("rate", [48000, 96000])
def test_it_follows_the_net_at_its_own_rate_where_doing_nothing_does_not(kind, rate):
    net = made(kind, linear_taps=5)

    def tone(sample_rate):
        time = torch.arange(sample_rate // 20, dtype=torch.float64) / sample_rate
        return (0.5 * torch.sin(2 * torch.pi * 1000 * time)).reshape(1, 1, -1)

    def at_instants(output, sample_rate):
        """From 10 ms on, at instants that both rates have."""
        return output[0, 0, sample_rate // 100 :: sample_rate // 300]

    expected = at_instants(played(net, tone(44100)), 44100)

    def error(output):
        return float((at_instants(output, rate) - expected).norm() / (expected - expected.mean()).norm())

    followed, as_it_is = (
        error(played(at_sample_rate(net, 44100, rate).double(), tone(rate))),
        error(played(net, tone(rate))),
    )
    assert followed < 0.01 * as_it_is


@pytest.mark.parametrize("delay", [1.0, 1.3, 2.0, 2.18, 4.35, 7.0])
def test_the_taps_delay_polynomials_of_their_order_exactly(delay):
    for order in (1, 3):
        taps = delay_taps(delay, order).numpy()
        ages = np.arange(len(taps), 0, -1)
        for power in range(order + 1):
            assert taps @ ages**power == pytest.approx(delay**power)


def test_a_filter_is_spread_in_time():
    taps = torch.tensor([0.5, 0.0, 2.0, 1.0]).reshape(1, 1, -1)
    assert spread_taps(taps, 2.0)[0, 0].tolist() == [0, 0, 0, 0.5, 0, 0, 0, 2, 0, 1]
    wide = spread_taps(taps.double(), RATIO)[0, 0]
    ages = torch.arange(len(wide) - 1, -1, -1)
    assert float(wide @ ages.double()) == pytest.approx(RATIO * (2.0 + 3 * 0.5))


@pytest.mark.parametrize(
    ("net", "rate", "words"),
    [
        (lambda: LSTMNet(0, 2), 32000, ("32000 Hz", "44100 Hz or more", "extrapolated")),
        (lambda: LSTMNet(0, 2), 800000, ("at most 16",)),
        (lambda: WaveNetNet(0, [2], [1]), 96000, ("WaveNetNet", "an LSTM or a GRU", "resample")),
        (lambda: LSTMNet(0, 2, conditioning="temporal_film"), 96000, ("TemporalFiLM", "film_glu")),
    ],
    ids=["lower", "far", "wavenet", "temporal film"],
)
def test_what_cannot_play_at_another_rate_says_why_and_what_can(net, rate, words):
    with pytest.raises(OtherRateError) as caught:
        at_sample_rate(net(), 44100, rate)
    for word in words:
        assert word in str(caught.value)


def test_at_its_own_rate_it_is_the_net_itself():
    net = GRUNet(0, 2)
    assert at_sample_rate(net, 44100, 44100) is net
