"""A net with its controls folded into its weights: the whole zoo, every conditioning."""

import numpy as np
import pytest
import torch
from small_nets import ALL, small

from tapezoo import testing
from tapezoo.layers.conditioner import Conditioner
from tapezoo.models.fir import FIR, FIRNet
from tapezoo.models.lstm import LSTMNet
from tapezoo.models.modulation import FOLDABLE, hold_conditioner
from tapezoo.net import Net, UnfoldableError

FOLDING = [(name, conditioning) for name, conditioning in ALL if conditioning != "temporal_film"]
REFUSING = [(name, conditioning) for name, conditioning in ALL if conditioning == "temporal_film"]
VARIANTS = [
    pytest.param("GRU", "hyper", {"num_layers": 2}, marks=pytest.mark.slow),
    pytest.param("GRU", "concat", {"num_layers": 2}, marks=pytest.mark.slow),
    ("WaveNet", "concat", {"activation": "gated"}),
    ("WaveNet", "film", {"activation": "gated"}),
    ("TCN", "film", {"activation": "tanh"}),
    ("GCN", "film", {"num_layers": 1}),
    ("GreyBox", None, {"memory": "level", "nonlinearity": "mlp"}),
    ("LSTM", "hyper", {"linear_taps": 0}),
    ("GRU", "hyper", {"linear_taps": 0}),
    ("LSTM", "film", {"linear_taps": 1, "num_layers": 1}),
]


@pytest.mark.parametrize(("name", "conditioning"), FOLDING)
def test_every_foldable_conditioning_keeps_the_law(name, conditioning):
    testing.CHECKS["folded"](small(name, conditioning))


@pytest.mark.parametrize(("name", "conditioning", "more"), VARIANTS)
def test_variants_keep_the_law(name, conditioning, more):
    testing.CHECKS["folded"](small(name, conditioning, **more))


@pytest.mark.parametrize(("name", "conditioning"), REFUSING)
def test_what_follows_the_audio_is_refused_with_what_works_instead(name, conditioning):
    with pytest.raises(
        UnfoldableError, match=r"TemporalFiLM.*depends on the audio.*film_glu.*without a grid"
    ):
        small(name, conditioning).net.folded(torch.zeros(2))


def test_a_conditioner_that_says_it_is_foldable_is():
    assert set(FOLDABLE) == {"concat", "film", "film_glu"}


def test_a_conditioner_that_does_not_say_is_refused():
    class Silent(Conditioner):
        def forward(self, features, controls, state):
            return features, {}

    with pytest.raises(UnfoldableError, match="Silent"):
        hold_conditioner(Silent(), torch.zeros(2))


@pytest.mark.parametrize("conditioning", ["concat", "film", "hyper", "hyper_blend"])
def test_a_folded_lstm_is_a_plain_one_with_as_many_weights(conditioning):
    net = small("LSTM", conditioning).net.folded(torch.tensor([0.2, 0.9]))
    plain = LSTMNet(0, 3, 2, 3, 1000.0)
    assert type(net) is LSTMNet
    assert {n: v.shape for n, v in net.state_dict().items()} == {
        n: v.shape for n, v in plain.state_dict().items()
    }


def test_a_folded_lstm_computes_its_equations_with_the_controls_as_inputs():
    """By numpy in float64 from the original's weights: gates from (x, controls)."""
    model = small("LSTM", "concat", hidden_size=4, num_layers=1, linear_taps=1)
    controls = np.array([0.8, 0.1])
    weights = {name: value.detach().double().numpy() for name, value in model.net.named_parameters()}
    input = torch.randn(50, generator=torch.Generator().manual_seed(1)) * 0.3
    hidden, cell, expected = np.zeros(4), np.zeros(4), []
    for x in input.double().numpy():
        sums = weights["lstm.weight_ih_l0"] @ np.array([x, *controls]) + weights["lstm.bias_ih_l0"]
        sums = sums + weights["lstm.weight_hh_l0"] @ hidden + weights["lstm.bias_hh_l0"]
        let_in, kept, candidate, shown = np.split(sums, 4)
        cell = cell / (1 + np.exp(-kept)) + np.tanh(candidate) / (1 + np.exp(-let_in))
        hidden = np.tanh(cell) / (1 + np.exp(-shown))
        head = weights["head.weight"][0] @ hidden + weights["head.bias"][0]
        expected.append(head + weights["linear_path"].item() * x)
    folded = model.net.folded(torch.tensor(controls, dtype=torch.float32))
    state = {name: torch.zeros_like(value) for name, value in folded.rest_state(1).items()}
    output, _ = folded(input.reshape(1, 1, -1), torch.zeros(1, 0), state)
    np.testing.assert_allclose(output[0, 0].detach().numpy(), expected, atol=1e-6)


@pytest.mark.parametrize(("name", "conditioning"), FOLDING)
def test_folding_takes_over_the_rest_state_and_leaves_luck_alone(name, conditioning):
    net = small(name, conditioning).net
    luck = torch.get_rng_state()
    folded = net.folded(torch.tensor([0.3, 0.6]))
    assert torch.equal(torch.get_rng_state(), luck)
    for name, value in folded.rest_state(1).items():
        assert torch.equal(value, net.rest_state(1)[name])
    assert not folded.training
    assert sum(p.numel() for p in folded.parameters()) < sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize("name", ["LSTM", "GRU", "TCN", "GCN", "WaveNet", "FIR", "GreyBox", "S4D"])
def test_a_net_without_controls_folds_to_itself(name):
    net = small(name, None, num_controls=0).net
    folded = net.folded(torch.zeros(0))
    input = 0.3 * torch.randn(1, 1, 96)
    nothing = torch.zeros(1, 0)
    with torch.no_grad():
        output, _ = folded(input, nothing, folded.initial_state(nothing))
        expected, _ = net(input, nothing, net.initial_state(nothing))
    torch.testing.assert_close(output, expected, atol=1e-7, rtol=0)


def test_in_a_plugins_tests_a_net_that_does_not_fold_is_skipped_with_its_reason():
    class StubbornNet(FIRNet):
        folded = Net.folded

    class Stubborn(FIR):
        def __init__(self, **training):
            super().__init__(taps=8, **training)
            self.net = StubbornNet(self.num_controls, 8)

    [law] = [law for law in testing.parametrize_with_checks(Stubborn).args[1] if law.name == "folded"]
    with pytest.raises(pytest.skip.Exception, match="not foldable: StubbornNet"):
        law()
