"""The compiled stack of dilated convolutions against torch's own operators, and in the nets that take it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv1d, leaky_relu

from tapezoo.layers.skip_stack import StackWeights, run_skip_stack
from tapezoo.models.gcn import GCNNet
from tapezoo.models.wavenet import WaveNetNet


def plain_stack(
    y: Tensor,
    told: Tensor,
    past: Tensor,
    weights: StackWeights,
    dilations: list[int],
    activation: str,
    summed: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """The formulas of `run_skip_stack`, one layer after another."""
    skips, after, channels = [], [], y.shape[1]
    reaches = [(weights.dilated.shape[-1] - 1) * dilation for dilation in dilations]
    for layer, before in enumerate(torch.split(past, reaches, dim=-1)):
        W, V, b, R, r = (each[layer] for each in weights)
        context = torch.cat([before, y], dim=-1)
        u = conv1d(context, W, b, dilation=dilations[layer]) + V @ told
        z = leaky_relu(u, 0.01) if activation == "leaky_relu" else torch.tanh(u[:, :channels])
        if activation == "gated":
            z = z * torch.sigmoid(u[:, channels:])
        y = y + R @ z + r.unsqueeze(-1)
        skips.append(z)
        after.append(context[..., context.shape[-1] - before.shape[-1] :])
    return y, sum(skips) if summed else torch.cat(skips, dim=1), torch.cat(after, dim=-1)


def fresh(
    dtype: torch.dtype, activation: str, rows: int, sizes: tuple[int, ...], dilations: list[int]
) -> list:
    """What `run_skip_stack` is given; sizes: channels, of c, samples, taps."""
    torch.manual_seed(0)
    channels, columns, samples, taps = sizes
    layers, width = len(dilations), channels * (1 + (activation == "gated"))

    def noise(*shape: int) -> Tensor:
        return (0.5 * torch.randn(*shape, dtype=torch.float64)).to(dtype).requires_grad_()

    weights = StackWeights(
        noise(layers, width, channels, taps),
        noise(layers, width, columns),
        noise(layers, width),
        noise(layers, channels, channels),
        noise(layers, channels),
    )
    past = noise(rows, channels, (taps - 1) * sum(dilations)).detach()
    return [
        noise(rows, channels, samples),
        noise(rows, columns, samples),
        past,
        weights,
        dilations,
        activation,
    ]


def results(run, given: list, summed: bool) -> list[Tensor]:
    """Outputs, and the gradients of something that both of them, and of something that z alone is part of."""
    y, skips, after = run(*given, summed)
    weights = torch.linspace(-1, 2, skips.numel(), dtype=y.dtype).reshape(skips.shape)
    of_skips, inputs = (skips * weights).sum(), [given[0], given[1], *given[3]]
    value = y.sin().sum() + of_skips + after.sin().sum()
    both = torch.autograd.grad(value, inputs, retain_graph=True)
    alone = torch.autograd.grad(of_skips, inputs, materialize_grads=True)
    return [y, skips, after, *both, *alone]


ACTIVATIONS = ["tanh", "gated", "leaky_relu"]
# channels, knobs and samples that fill tiles and that do not, contexts longer than the block
CASES = [
    (3, (5, 3, 150, 3), [1, 3, 160]),
    (2, (8, 1, 96, 2), [2, 64]),
    (1, (3, 0, 1, 4), [1]),
]


@pytest.mark.slow  # compiled anew for double precision; in single precision below
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("summed", [False, True])
@pytest.mark.parametrize(("rows", "sizes", "dilations"), CASES)
def test_outputs_and_gradients_are_those_of_torch(activation, summed, rows, sizes, dilations):
    given = fresh(torch.float64, activation, rows, sizes, dilations)
    for own, expected in zip(
        results(run_skip_stack, given, summed), results(plain_stack, given, summed), strict=True
    ):
        torch.testing.assert_close(own, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("summed", [False, True])
@pytest.mark.parametrize(("rows", "sizes", "dilations"), CASES)
def test_single_precision_is_near_to_double(activation, summed, rows, sizes, dilations):
    exact = results(plain_stack, fresh(torch.float64, activation, rows, sizes, dilations), summed)
    single = results(run_skip_stack, fresh(torch.float32, activation, rows, sizes, dilations), summed)
    for own, expected in zip(single, exact, strict=True):
        assert own.dtype == torch.float32
        assert (own.double() - expected).norm() <= 3e-6 * expected.norm()


@pytest.mark.parametrize("summed", [False, True])
def test_without_a_gradient_and_in_two_threads_it_is_the_same(summed, monkeypatch):
    given = fresh(torch.float32, "gated", 17, (8, 1, 70, 3), [1, 30])
    alone = results(run_skip_stack, given, summed)
    with torch.no_grad():
        played = run_skip_stack(*given, summed)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    with torch.no_grad():
        played_by_two = run_skip_stack(*given, summed)
    shared = results(run_skip_stack, given, summed)
    for each in (played, played_by_two, shared[:3]):
        torch.testing.assert_close(list(each), alone[:3], rtol=0, atol=0)
    for own, expected in zip(shared[3:], alone[3:], strict=True):  # summed in two parts
        assert (own - expected).norm() <= 1e-5 * expected.norm()


def test_blocks_with_the_past_carried_are_one_pass():
    y, told, past, *others = fresh(torch.float32, "tanh", 3, (4, 1, 90, 3), [1, 20])
    with torch.no_grad():
        whole = run_skip_stack(y, told, past, *others, True)
        parts = []
        for block in (slice(0, 7), slice(7, 8), slice(8, 90)):
            *played, past = run_skip_stack(y[..., block], told[..., block], past, *others, True)
            parts.append(played)
    for index in range(2):
        joined = torch.cat([part[index] for part in parts], dim=-1)
        torch.testing.assert_close(joined, whole[index], rtol=0, atol=1e-6)
    torch.testing.assert_close(past, whole[2], rtol=0, atol=1e-6)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_what_is_not_finite_stays_in_its_row_and_is_not_hidden(activation):
    given = fresh(torch.float32, activation, 3, (4, 1, 60, 3), [1, 2])
    with torch.no_grad():
        given[0][1, 2, 20] = torch.nan
        y, skips, _ = run_skip_stack(*given, True)
    assert bool(y[[0, 2]].isfinite().all())
    assert bool(y[1, :, :20].isfinite().all())
    assert bool(y[1, :, 20].isnan().all())
    assert bool(skips[1, :, 20].isnan().all())


NETS = [
    lambda: WaveNetNet(0, [6, 4], [1, 2, 40]),
    lambda: WaveNetNet(2, [5], [1, 9], activation="gated"),
    lambda: WaveNetNet(0, [3], [1, 3, 13, 1], [3, 3, 7, 3], "leaky_relu", head_taps=5),
    lambda: GCNNet(0, channels=5, num_layers=4),
]


@pytest.mark.parametrize("make", NETS)
def test_a_net_in_training_takes_it_and_learns_and_plays_the_same(make, monkeypatch):
    torch.manual_seed(0)
    net = make()
    module = "tapezoo.models." + ("wavenet_arrays" if isinstance(net, WaveNetNet) else "gcn")
    calls = []

    def counted(*args, **more):
        calls.append(args)
        return run_skip_stack(*args, **more)

    monkeypatch.setattr(f"{module}.run_skip_stack", counted)
    input, start, aim = (
        torch.randn(2, 1, 120),
        torch.rand(2, net.num_controls),
        torch.rand(2, net.num_controls),
    )

    def learned() -> list[Tensor]:
        output, after = net(input, aim, net.initial_state(start))  # the knobs glide
        output, _ = net(input, aim, after)
        parameters = list(net.parameters())
        return [output, *torch.autograd.grad(output.square().sum(), parameters, materialize_grads=True)]

    own = learned()
    assert calls
    calls.clear()
    with torch.no_grad():  # a burn-in
        net(input, aim, net.initial_state(start))
    assert calls
    calls.clear()
    net.eval()
    with torch.no_grad():
        played, _ = net(input, aim, net(input, aim, net.initial_state(start))[1])
    assert not calls
    torch.testing.assert_close(played, own[0].detach(), rtol=1e-5, atol=1e-6)
    monkeypatch.setattr(f"{module}.runs_stack", lambda *_: False)
    for each, expected in zip(own, learned(), strict=True):
        assert (each - expected).norm() <= 1e-5 * expected.norm()


def test_a_past_that_is_learned_gets_its_gradient():
    net = WaveNetNet(0, [4], [1, 3])
    state = net.initial_state(torch.zeros(1, 0))
    past = state["past_last"].clone().requires_grad_()
    net(torch.randn(1, 1, 30), torch.zeros(1, 0), {**state, "past_last": past})[0].sum().backward()
    assert float(past.grad.abs().max()) > 0
