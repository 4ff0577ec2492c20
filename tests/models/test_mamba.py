"""Mamba against its equations in numpy, its sizes, where it starts."""

import numpy as np
import pytest
import torch
from gliding import glide
from numpy_cells import count, sigmoid
from small_nets import perturbed

from tapezoo import testing
from tapezoo.models.mamba import Mamba, MambaNet
from tapezoo.net import UndescribableError


def silu(x: np.ndarray) -> np.ndarray:
    return x * sigmoid(x)


def by_equations(net: MambaNet, input: np.ndarray, controls: np.ndarray) -> np.ndarray:
    """One row after zeros in every state, in float64, block after block; controls: (K, samples)."""
    weights = {name: value.detach().double().numpy() for name, value in net.named_parameters()}
    h = input[:, None] * weights["lift.weight"][:, 0] + weights["lift.bias"]  # (samples, channels)
    for index in range(len(net.blocks)):
        w = {name.removeprefix(f"blocks.{index}."): value for name, value in weights.items()}
        inner, N = w["A_log"].shape
        taps, rank = len(w["taps"]), w["step.weight"].shape[1]
        past, state = np.zeros((taps - 1, inner)), np.zeros((inner, N))
        for t, features in enumerate(h):
            u = features / np.sqrt(np.mean(features**2) + 1e-5) * w["norm.gain"]
            if len(controls):
                film = w["modulation.affine.weight"] @ controls[:, t] + w["modulation.affine.bias"]
                u = u * film[: len(u)] + film[len(u) :]
            x, z = np.split(w["enter.weight"] @ u + w["enter.bias"], 2)
            context = np.vstack([past, x])
            past = context[1:]
            x = silu((context * w["taps"]).sum(0) + w["offset"])
            d, B, C = np.split(w["select.weight"] @ x, [rank, rank + N])
            delta = np.log1p(np.exp(w["step.weight"] @ d + w["step.bias"]))  # (inner,)
            A = -np.exp(w["A_log"])
            state = np.exp(delta[:, None] * A) * state + delta[:, None] * B * x[:, None]
            y = state @ C + w["D"] * x
            h[t] = features + w["leave.weight"] @ (y * silu(z))
    return h @ weights["head.weight"][0] + weights["head.bias"][0]


@pytest.mark.parametrize("num_controls", [0, 2])
@pytest.mark.parametrize("training", [True, False])
def test_the_net_is_the_papers_equations(num_controls, training):
    torch.manual_seed(0)
    net = MambaNet(num_controls, 3, 4, 2, 3, 2.0, 300.0, "film")
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    input, target = 0.5 * torch.randn(2, 1, 150), torch.rand(2, num_controls)
    start = 1 - target
    path = glide(start, target, 150).double().numpy()
    with torch.set_grad_enabled(training):
        output, _ = net(input, target, net.initial_state(start))
    for row in range(2):
        expected = by_equations(net, input[row, 0].double().numpy(), path[row])
        np.testing.assert_allclose(output[row, 0].detach().numpy(), expected, atol=2e-5)


@pytest.mark.parametrize(("controls", "d", "N", "P", "k"), [(0, 8, 8, 2, 4), (2, 20, 3, 1, 2)])
def test_the_documented_parameter_counts(controls, d, N, P, k):
    film = 2 * P * d * (controls + 1) if controls else 0
    expected = 3 * d + 1 + P * d * (6 * d + 6 * N + 2 * k + 4 * -(-d // 16) + 11) + film
    assert count(MambaNet(controls, d, N, P, k, 4.0, 1000.0, "film")) == expected
    if not controls:
        assert expected == 1929


def test_the_slowest_states_start_with_the_time_constants_asked_for():
    net = MambaNet(0, 3, 4, 1, 4, 10.0, 1000.0, "film")
    step = torch.nn.functional.softplus(net.blocks[0].step.bias)  # while nothing is selected
    slowest = 1 / (step * net.blocks[0].A_log.exp()[:, 0])
    expected = torch.tensor(np.geomspace(1000.0, 10.0, 6), dtype=torch.float32)
    torch.testing.assert_close(slowest, expected, rtol=1e-3, atol=0)


def test_a_loud_signal_shortens_a_memory_that_a_quiet_one_keeps():
    """What S4D cannot: the step grows with the signal, so a loud one overwrites what was remembered."""
    torch.manual_seed(0)
    net = MambaNet(0, 3, 2, 1, 2, 4.0, 1000.0, "film")
    with torch.no_grad():
        net.blocks[0].enter.weight.zero_()  # so that its bias alone sets the level
        net.blocks[0].select.weight[0] = 0.5
        net.blocks[0].step.weight.fill_(1.0)
        net.blocks[0].taps.fill_(1.0)
    modes = net.rest_modes.expand(1, -1, -1, -1) + 1.0

    def left(level: float) -> float:
        with torch.no_grad():
            net.blocks[0].enter.bias.fill_(level)
            state = {**net.initial_state(torch.zeros(1, 0)), "modes": modes}
            held, _ = net(torch.zeros(1, 1, 20), torch.zeros(1, 0), state)
            other, _ = net(torch.zeros(1, 1, 20), torch.zeros(1, 0), {**state, "modes": 2 * modes})
        return float((held - other)[..., -1].abs() / (held - other)[..., 0].abs())

    assert left(4.0) < 0.1 * left(0.1)


def test_it_says_why_there_is_no_kernel():
    with pytest.raises(UndescribableError, match="filters follow the signal"):
        MambaNet(0, 2, 2, 1).described()


@pytest.mark.parametrize("name", ["streaming", "pure", "gradients", "export"])
def test_the_smallest_net_keeps_the_laws(name):
    smallest = {"channels": 1, "modes": 1, "num_blocks": 1, "kernel_size": 2}
    testing.CHECKS[name](perturbed(Mamba, testing.CONTROLS, **smallest))
