"""What is particular to the LSTM."""

import pytest
import torch
from small_nets import perturbed

from tapezoo import testing
from tapezoo.models.arguments import ModelArgumentError
from tapezoo.models.gru import GRU
from tapezoo.models.lstm import LSTM, HyperLSTMNet, LSTMNet


def decay_samples(net: LSTMNet, unit: int) -> float:
    """Time constant of one cell on silence, with the recurrence switched off."""
    state = net.initial_state(torch.zeros(1, 0))
    state["cell"][0, 0, unit] = 1e-3
    with torch.no_grad():
        net.lstm.weight_hh_l0.zero_()
        _, after = net(torch.zeros(1, 1, 1), torch.zeros(1, 0), state)
    kept = float(after["cell"][0, 0, unit]) / 1e-3
    return 1 / (1 - kept)


def test_units_start_with_memories_from_two_samples_to_the_longest():
    net = LSTMNet(0, 8, 1, 1, memory_samples=500.0)
    lengths = [decay_samples(net, unit) for unit in range(8)]
    torch.testing.assert_close(lengths[0], 2.0, rtol=1e-3, atol=0)
    torch.testing.assert_close(lengths[-1], 500.0, rtol=1e-2, atol=0)
    assert lengths == sorted(lengths)


@pytest.mark.parametrize("make", [lambda scale: LSTMNet(1, 3, 2, 0, 100.0, "concat", scale),
                                  lambda scale: HyperLSTMNet(1, 3, 2, 0, 100.0, 1, "hyper", scale)])  # fmt: skip
def test_a_scale_of_the_input_is_on_the_weights_of_the_signal_alone(make):
    parameters = []
    for scale in (1.0, 30.0):
        torch.manual_seed(0)
        parameters.append(dict(make(scale).named_parameters()))
    for name, plain in parameters[0].items():
        factor = torch.ones_like(plain)
        if "weight_ih_l0" in name:
            factor[:, 0] = 30.0
        torch.testing.assert_close(parameters[1][name], factor * plain)


def test_the_linear_path_is_the_identity_at_the_start_and_runs_beside_the_net():
    input = torch.randn(1, 1, 50)
    for taps in (1, 16):
        net = LSTMNet(0, 4, 1, taps, 100.0)
        with torch.no_grad():
            net.head.weight.zero_()
            net.head.bias.zero_()
        output, _ = net(input, torch.zeros(1, 0), net.initial_state(torch.zeros(1, 0)))
        torch.testing.assert_close(output, input)


def count(net):
    return sum(parameter.numel() for parameter in net.parameters())


def test_the_stated_parameter_counts():
    assert count(LSTMNet(2, 16, 1, 0, 100.0)) == 4 * 16 * (1 + 2 + 16) + 8 * 16 + 16 + 1
    film = 2 * 16 * (2 + 1)
    assert count(LSTMNet(2, 16, 1, 0, 100.0, "film")) == 4 * 16 * (1 + 16) + 8 * 16 + film + 16 + 1
    assert count(HyperLSTMNet(0, 32, 1, 1, 100.0, 4)) == 4386
    assert count(HyperLSTMNet(3, 32, 1, 1, 100.0, 0)) == 17544
    one = 4 * 16 * (16 + 2) + 16 + 1 + 5
    assert count(HyperLSTMNet(2, 16, 1, 5, 100.0, 4)) == one * (1 + 2 + 4) + 4 * (2 + 1)


@pytest.mark.parametrize("taps", [0, 1, 6])
def test_a_hyper_net_at_fixed_controls_is_a_plain_net_with_its_weights_folded_in(taps):
    torch.manual_seed(0)
    net, controls = HyperLSTMNet(2, 6, 2, taps, 100.0, 3), torch.rand(1, 2)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    weights, plain = net.weights(controls[0]), LSTMNet(0, 6, 2, taps, 100.0)
    with torch.no_grad():
        for name, value in weights.items():
            if name.endswith(("_l0", "_l1")):
                plain.lstm.get_parameter(name).copy_(value)
        for layer in range(2):
            plain.lstm.get_parameter(f"bias_hh_l{layer}").zero_()
        plain.head.weight[0].copy_(weights["weight"])
        plain.head.bias[0].copy_(weights["bias"])
        if taps:
            plain.linear_path[0, 0].copy_(weights["taps"])
        input = torch.randn(1, 1, 200)
        output, _ = net(input, controls, net.initial_state(controls))
        expected, _ = plain(input, controls[:, :0], plain.initial_state(controls[:, :0]))
    torch.testing.assert_close(output, expected, atol=1e-6, rtol=1e-5)


def test_fresh_hyper_nets_start_as_plain_ones_at_any_controls():
    torch.manual_seed(0)
    net = HyperLSTMNet(2, 8, 1, 1, 500.0, 0)
    forget = net.weights(torch.tensor([0.3, 0.7]))["bias_ih_l0"][8:16].detach()
    lengths = 1 + torch.exp(forget)  # see spread_lstm_memories
    torch.testing.assert_close(lengths[[0, -1]], torch.tensor([2.0, 500.0]), rtol=0.1, atol=0)


def test_a_fresh_hyper_net_passes_the_signal_where_all_controls_are_zero():
    net, input = HyperLSTMNet(3, 8, 1, 1, 500.0, 0), torch.randn(2, 1, 100)
    controls = torch.zeros(2, 3)
    assert torch.equal(net(input, controls, net.initial_state(controls))[0], input)
    one = torch.eye(3)[:2]
    assert not torch.allclose(net(input, one, net.initial_state(one))[0], input, atol=0.01)


LAWS = {
    "film": ("gradients",),
    "film_glu": ("gradients",),
    "temporal_film": ("streaming", "pure", "gradients", "controls", "fading_memory", "rest", "export"),
    "hyper": ("streaming", "pure", "gradients", "controls", "fading_memory", "rest", "export"),
    "hyper_blend": ("streaming", "controls"),
}


@pytest.mark.parametrize(("name", "law"), [(name, law) for name, laws in LAWS.items() for law in laws])
def test_every_conditioning_keeps_the_laws(name, law):
    units = 2 if name.startswith("hyper") else 0
    model = perturbed(LSTM, testing.CONTROLS, hidden_size=4, conditioning=name, hyper_units=units)
    testing.CHECKS[law](model)


@pytest.mark.parametrize("law", ["gradients", "pure"])
@pytest.mark.parametrize("name", LAWS)
def test_every_conditioning_does_without_controls(name, law):
    units = 2 if name.startswith("hyper") else 0
    model = perturbed(LSTM, [], hidden_size=4, conditioning=name, hyper_units=units)
    testing.CHECKS[law](model)


@pytest.mark.parametrize("model", [LSTM, GRU])
def test_an_unknown_conditioning_is_refused_with_the_known_ones(model):
    with pytest.raises(ModelArgumentError, match="temporal_film, hyper"):
        model(conditioning="flim")
    with pytest.raises(ModelArgumentError, match="hyper_units"):
        model(conditioning="hyper", hyper_units=-1)


def test_checkpoints_load_that_call_the_state_of_temporal_film_the_old_way():
    def fresh():
        return LSTMNet(1, 3, 1, 1, 100.0, "temporal_film")

    net = fresh()
    net.rest_modulation_head_peak.fill_(0.5)
    old = {
        name.replace("rest_modulation_head_", "rest_conditioner_"): value
        for name, value in net.state_dict().items()
    }
    assert "rest_conditioner_peak" in old
    loaded = fresh()
    loaded.load_state_dict(old)
    torch.testing.assert_close(loaded.state_dict(), net.state_dict())
