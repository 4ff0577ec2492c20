"""The compiled stack of dilated convolutions with weighted residuals against torch's operators, and in the TCN."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv1d, prelu

from tapezoo.layers.residual_layout import LayerWeights
from tapezoo.layers.residual_stack import run_residual_stack
from tapezoo.models.tcn import TCNNet


def plain_stack(input, pasts, layers, dilations, head, head_bias) -> tuple[Tensor, list[Tensor]]:
    """The formulas of `run_residual_stack`, one layer after another."""
    h, after = input, []
    for weights, before, dilation in zip(layers, pasts, dilations, strict=True):
        context = torch.cat([before, h], dim=-1)
        u = conv1d(context, weights.dilated, weights.bias, dilation=dilation)
        bent = prelu(u, weights.slope) if weights.slope.numel() else torch.tanh(u)
        h = bent + weights.residual.unsqueeze(-1) * h
        after.append(context[..., context.shape[-1] - before.shape[-1] :])
    return (head @ h).unsqueeze(1) + head_bias, after


def fresh(dtype: torch.dtype, tanh: bool, rows: int, sizes: tuple[int, ...], dilations: list[int]) -> list:
    """What `run_residual_stack` is given; sizes: channels, taps, samples."""
    torch.manual_seed(0)
    channels, taps, samples = sizes

    def noise(*shape: int) -> Tensor:
        return (0.5 * torch.randn(*shape, dtype=torch.float64)).to(dtype).requires_grad_()

    widths = [1] + [channels] * (len(dilations) - 1)
    layers = [
        LayerWeights(
            noise(channels, width, taps), noise(channels), noise(0 if tanh else channels), noise(channels)
        )
        for width in widths
    ]
    pasts = [
        noise(rows, width, (taps - 1) * dilation).detach()
        for width, dilation in zip(widths, dilations, strict=True)
    ]
    return [noise(rows, 1, samples), pasts, layers, dilations, noise(channels), noise(1)]


def results(run, given: list) -> list[Tensor]:
    """Output, pasts, and the gradients of something that all of them, and of something that the output is part of."""
    output, after = run(*given)
    weights = torch.linspace(-1, 2, output.numel(), dtype=output.dtype).reshape(output.shape)
    of_output = (output * weights).sum()
    weights_given = [
        weight for layer in given[2] for weight in layer if weight.numel()
    ]  # a tanh has no slope
    inputs = [given[0], *weights_given, *given[4:]]
    value = of_output + sum(each.sin().sum() for each in after)
    both = torch.autograd.grad(value, inputs, retain_graph=True)
    return [output, *after, *both, *torch.autograd.grad(of_output, inputs)]


# channels and samples that fill tiles and that do not, one row and several, contexts longer than the block
CASES = [
    (3, (5, 3, 50), [1, 4, 60]),
    (1, (32, 5, 64), [1, 10, 100]),
    (2, (1, 2, 7), [1, 3, 30]),
    (3, (6, 4, 1), [1, 2]),
]


@pytest.mark.slow  # compiled anew for double precision; in single precision below
@pytest.mark.parametrize("tanh", [False, True])
@pytest.mark.parametrize(("rows", "sizes", "dilations"), CASES)
def test_outputs_and_gradients_are_those_of_torch(tanh, rows, sizes, dilations):
    given = fresh(torch.float64, tanh, rows, sizes, dilations)
    for own, expected in zip(results(run_residual_stack, given), results(plain_stack, given), strict=True):
        torch.testing.assert_close(own, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("tanh", [False, True])
@pytest.mark.parametrize(("rows", "sizes", "dilations"), CASES)
def test_single_precision_is_near_to_double(tanh, rows, sizes, dilations):
    exact = results(plain_stack, fresh(torch.float64, tanh, rows, sizes, dilations))
    single = results(run_residual_stack, fresh(torch.float32, tanh, rows, sizes, dilations))
    for own, expected in zip(single, exact, strict=True):
        assert own.dtype == torch.float32
        assert (own.double() - expected).norm() <= 6e-6 * expected.norm()


def test_without_a_gradient_and_in_two_threads_it_is_the_same(monkeypatch):
    given = fresh(torch.float32, False, 17, (8, 3, 70), [1, 30])
    alone = results(run_residual_stack, given)
    monkeypatch.setattr("tapezoo.layers.residual_layout._CACHED", 4096)  # several groups of rows
    with torch.no_grad():
        output, after = run_residual_stack(*given)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    shared = results(run_residual_stack, given)
    for each in ([output, *after], shared[:3]):
        torch.testing.assert_close(each, alone[:3], rtol=0, atol=0)
    for own, expected in zip(shared[3:], alone[3:], strict=True):  # summed in other parts
        assert (own - expected).norm() <= 1e-5 * expected.norm()


def test_blocks_with_the_past_carried_are_one_pass():
    input, pasts, *others = fresh(torch.float32, False, 3, (4, 3, 90), [1, 20])
    with torch.no_grad():
        whole, after = run_residual_stack(input, pasts, *others)
        parts = []
        for block in (slice(0, 7), slice(7, 8), slice(8, 90)):
            output, pasts = run_residual_stack(input[..., block], pasts, *others)
            parts.append(output)
    torch.testing.assert_close(torch.cat(parts, dim=-1), whole, rtol=0, atol=1e-6)
    torch.testing.assert_close(pasts, after, rtol=0, atol=1e-6)


def test_a_rest_that_all_rows_share_is_that_rest_in_every_row():
    input, pasts, *others = fresh(torch.float32, False, 3, (5, 3, 40), [1, 30])
    rests = [past[1:2].expand(3, -1, -1) for past in pasts]
    shared, copied = (
        run_residual_stack(input, some, *others) for some in (rests, [rest.clone() for rest in rests])
    )
    torch.testing.assert_close(shared, copied, rtol=0, atol=0)


def test_what_is_not_finite_stays_in_its_row_and_is_not_hidden():
    given = fresh(torch.float32, False, 3, (4, 3, 60), [1, 2])
    with torch.no_grad():
        given[0][1, 0, 20] = torch.nan
        output, _ = run_residual_stack(*given)
    assert bool(output[[0, 2]].isfinite().all())
    assert bool(output[1, 0, :20].isfinite().all())
    assert bool(output[1, 0, 20].isnan())


@pytest.mark.parametrize("activation", ["prelu", "tanh"])
def test_a_tcn_in_training_takes_it_and_learns_and_plays_the_same(activation, monkeypatch):
    torch.manual_seed(0)
    net = TCNNet(0, channels=5, num_blocks=3, kernel_size=3, dilation_growth=8, activation=activation)
    calls = []

    def counted(*args):
        calls.append(args)
        return run_residual_stack(*args)

    monkeypatch.setattr("tapezoo.models.tcn.run_residual_stack", counted)
    input, controls = torch.randn(2, 1, 60), torch.zeros(2, 0)

    def learned() -> list[Tensor]:
        _, after = net(input, controls, net.initial_state(controls))
        output, _ = net(input, controls, {name: each.detach() for name, each in after.items()})
        return [output, *torch.autograd.grad(output.square().sum(), list(net.parameters()))]

    own = learned()
    assert len(calls) == 2
    net.eval()
    with torch.no_grad():
        played, _ = net(input, controls, net(input, controls, net.initial_state(controls))[1])
    exact = copy.deepcopy(net).double()
    exact(input.double(), controls.double(), exact.initial_state(controls))
    assert len(calls) == 2
    torch.testing.assert_close(played, own[0].detach(), rtol=1e-5, atol=1e-6)
    monkeypatch.setattr("tapezoo.models.tcn.runs_residual_stack", lambda *_: False)
    for each, expected in zip(own, learned(), strict=True):
        assert (each - expected).norm() <= 1e-5 * expected.norm()


def test_a_past_that_is_learned_gets_its_gradient():
    net = TCNNet(0, channels=4, num_blocks=2, kernel_size=3)
    state = net.initial_state(torch.zeros(1, 0))
    past = state["past_1"].clone().requires_grad_()
    net(torch.randn(1, 1, 30), torch.zeros(1, 0), {**state, "past_1": past})[0].sum().backward()
    assert float(past.grad.abs().max()) > 0
