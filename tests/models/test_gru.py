"""What is particular to the GRU."""

import numpy as np
import pytest
import torch
from small_nets import perturbed

from tapezoo import testing
from tapezoo.layers.gru import run_gru_for_training
from tapezoo.models.gru import GRU, GRUNet, HyperGRUNet, layer_weights


def count(net: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def by_equations(net: GRUNet, input: np.ndarray, controls: np.ndarray) -> np.ndarray:
    """One row through the equations of the docstring, sample by sample, one layer, from zeros."""
    weights = {name: value.detach().double().numpy() for name, value in net.named_parameters()}
    units = net.gru.hidden_size
    gates = [slice(k * units, (k + 1) * units) for k in range(3)]  # reset, update, candidate
    (w_r, w_z, w_m), (b_r, b_z, b_m) = (
        [weights[f"gru.{kind}_ih_l0"][gate] for gate in gates] for kind in ("weight", "bias")
    )
    (u_r, u_z, u_m), (c_r, c_z, c_m) = (
        [weights[f"gru.{kind}_hh_l0"][gate] for gate in gates] for kind in ("weight", "bias")
    )
    taps = weights["linear_path"][0, 0][::-1]
    hidden, output = np.zeros(units), np.zeros(len(input))
    for n in range(len(input)):
        u = np.concatenate([input[n : n + 1], controls])
        r = 1 / (1 + np.exp(-(w_r @ u + b_r + u_r @ hidden + c_r)))
        z = 1 / (1 + np.exp(-(w_z @ u + b_z + u_z @ hidden + c_z)))
        m = np.tanh(w_m @ u + b_m + r * (u_m @ hidden + c_m))
        hidden = (1 - z) * m + z * hidden
        linear = sum(taps[k] * input[n - k] for k in range(min(len(taps), n + 1)))
        output[n] = weights["head.weight"][0] @ hidden + weights["head.bias"][0] + linear
    return output


@pytest.mark.parametrize(("num_controls", "taps"), [(0, 1), (2, 5)])
def test_the_net_is_the_papers_equations(num_controls, taps):
    torch.manual_seed(0)
    net = GRUNet(num_controls, 6, 1, taps, 100.0)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    input, controls = 0.5 * torch.randn(1, 1, 80), torch.rand(1, num_controls)
    output, _ = net(input, controls, net.initial_state(controls))
    expected = by_equations(net, input[0, 0].double().numpy(), controls[0].double().numpy())
    np.testing.assert_allclose(output[0, 0].detach().numpy(), expected, atol=1e-5)


def decay_samples(net: GRUNet, unit: int) -> float:
    """Time constant of one unit on silence, with the recurrence switched off."""
    state = net.initial_state(torch.zeros(1, 0))
    state["hidden"][0, 0, unit] = 1e-3
    with torch.no_grad():
        net.gru.weight_hh_l0.zero_()
        _, after = net(torch.zeros(1, 1, 1), torch.zeros(1, 0), state)
    kept = float(after["hidden"][0, 0, unit]) / 1e-3
    return 1 / (1 - kept)


def test_units_start_with_memories_from_two_samples_to_the_longest():
    net = GRUNet(0, 8, 1, 1, memory_samples=500.0)
    lengths = [decay_samples(net, unit) for unit in range(8)]
    torch.testing.assert_close(lengths[0], 2.0, rtol=1e-3, atol=0)
    torch.testing.assert_close(lengths[-1], 500.0, rtol=1e-2, atol=0)
    assert lengths == sorted(lengths)


def test_the_stated_parameter_counts():
    assert count(GRUNet(0, 32, 1, 1, 1000.0)) == 3394
    assert count(GRUNet(2, 16, 1, 0, 1000.0)) == 3 * 16 * (1 + 2 + 16) + 6 * 16 + 16 + 1
    assert count(HyperGRUNet(0, 32, 1, 1, 1000.0, 4)) == 3330
    one = 3 * 16 * (16 + 2) + 2 * 16 + 1 + 5
    assert count(HyperGRUNet(2, 16, 1, 5, 100.0, 4)) == one * (1 + 2 + 4) + 4 * (2 + 1)


@pytest.mark.slow  # compiled anew for double precision; in single precision in layers/test_recurrent_loops.py
@pytest.mark.parametrize(("layers", "samples"), [(1, 1), (2, 150)])
def test_the_gradient_written_by_hand_is_that_of_pytorch(layers, samples):
    torch.manual_seed(0)
    gru = torch.nn.GRU(3, 5, layers, batch_first=True).double()
    input = torch.randn(4, samples, 3, dtype=torch.float64, requires_grad=True)
    hidden = torch.randn(layers, 4, 5, dtype=torch.float64, requires_grad=True)
    sources = [input, hidden, *gru.parameters()]
    weights = torch.randn(4, samples, 5, dtype=torch.float64)
    results = []
    for play in (gru, lambda *args: run_gru_for_training(*args, layer_weights(gru))):
        output, last = play(input, hidden)
        gradients = torch.autograd.grad((output * weights).sum() + last.square().sum(), sources)
        results.append((output, last, *gradients))
    for own, torchs in zip(*results, strict=True):
        torch.testing.assert_close(own, torchs)


@pytest.mark.parametrize(
    "variant",
    [
        {"num_layers": 2, "hidden_size": 6},
        {"linear_taps": 0, "hidden_size": 4},
        {"linear_taps": 64, "hidden_size": 8},
    ],
)
@pytest.mark.parametrize("name", ["streaming", "pure", "gradients", "rest"])
@pytest.mark.usefixtures("few_splits")
def test_variants_keep_the_laws(variant, name):
    testing.CHECKS[name](perturbed(GRU, testing.CONTROLS, **variant))


@pytest.mark.parametrize(
    ("name", "law"),
    [
        ("film_glu", "streaming"),
        ("temporal_film", "gradients"),
        ("hyper", "gradients"),
        pytest.param("hyper", "export", marks=pytest.mark.slow),
    ],
)
def test_conditionings_keep_the_laws(name, law):
    units = 2 if name.startswith("hyper") else 0
    model = perturbed(GRU, testing.CONTROLS, hidden_size=4, conditioning=name, hyper_units=units)
    testing.CHECKS[law](model)


def test_a_hyper_net_at_fixed_controls_is_a_plain_net_with_its_weights_folded_in():
    torch.manual_seed(0)
    net, controls = HyperGRUNet(2, 6, 1, 3, 100.0, 3), torch.rand(1, 2)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
        weights, plain = net.weights(controls[0]), GRUNet(0, 6, 1, 3, 100.0)
        for kind in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0"):
            plain.gru.get_parameter(kind).copy_(weights[kind])
        plain.gru.bias_hh_l0.zero_()
        plain.gru.bias_hh_l0[12:].copy_(weights["bias_m_l0"])
        plain.head.weight[0].copy_(weights["weight"])
        plain.head.bias[0].copy_(weights["bias"])
        plain.linear_path[0, 0].copy_(weights["taps"])
        input = torch.randn(1, 1, 200)
        output, _ = net(input, controls, net.initial_state(controls))
        expected, _ = plain(input, controls[:, :0], plain.initial_state(controls[:, :0]))
    torch.testing.assert_close(output, expected, atol=1e-6, rtol=1e-5)


def test_checkpoints_load_that_call_the_state_of_temporal_film_the_old_way():
    def fresh():
        return GRUNet(1, 3, 1, 1, 100.0, "temporal_film")

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
