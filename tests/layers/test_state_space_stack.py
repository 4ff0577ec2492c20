"""The compiled blocks of diagonal state spaces against their formulas in torch's operators, and in the S4D net."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from tapezoo.layers.state_space_stack import StateSpaceWeights, run_state_spaces
from tapezoo.models.s4d import S4DNet


def plain_spaces(input: Tensor, state: Tensor, weights: StateSpaceWeights) -> tuple[Tensor, Tensor]:
    """The formulas of `run_state_spaces`, one sample after another."""
    h = weights.lift[:, None] * input + weights.lift_bias[:, None]  # (batch, H, samples)
    after = []
    for block, given in enumerate(state.unbind(dim=1)):
        m = torch.tanh(weights.mix[block] @ h + weights.mix_bias[block][:, None])
        a, a_imag, b, b_imag, c, c_imag = (
            each.t() for each in weights.coefficients[block].unbind(dim=1)
        )  # (H, N)
        x, x_imag, heard = given[..., 0].to(h.dtype), given[..., 1].to(h.dtype), []
        for u in m.unbind(dim=-1):
            x, x_imag = (
                a * x - a_imag * x_imag + b * u[..., None],
                a_imag * x + a * x_imag + b_imag * u[..., None],
            )
            heard.append((c * x + c_imag * x_imag).sum(-1) + weights.direct[block] * u)
        h = h + torch.tanh(torch.stack(heard, dim=-1))
        after.append(torch.stack([x, x_imag], dim=-1))
    output = (weights.head @ h).unsqueeze(1) + weights.head_bias
    return output, torch.stack(after, dim=1).to(state.dtype)


def fresh(dtype: torch.dtype, rows: int, blocks: int, channels: int, modes: int, samples: int) -> list:
    """What `run_state_spaces` is given; the filters forget."""
    torch.manual_seed(0)

    def noise(*shape: int) -> Tensor:
        return 0.5 * torch.randn(*shape, dtype=torch.float64)

    coefficients = noise(blocks, modes, 6, channels)
    size, angle = 0.9 + 0.09 * torch.rand(blocks, modes, channels), 3 * torch.rand(blocks, modes, channels)
    coefficients[:, :, 0], coefficients[:, :, 1] = size * angle.cos(), size * angle.sin()
    shapes = [(channels,), (channels,), (blocks, channels, channels), (blocks, channels)]
    before = [noise(*shape) for shape in shapes]
    weights = [*before, coefficients, noise(blocks, channels), noise(channels), noise(1)]
    state = noise(rows, blocks, channels, modes, 2)
    own = StateSpaceWeights(*(each.to(dtype).requires_grad_() for each in weights))
    return [noise(rows, 1, samples).to(dtype).requires_grad_(), state, own]


def results(run, given: list) -> list[Tensor]:
    """Output, state, and the gradients of something that both of them, and of something that the output is part of."""
    output, after = run(*given)
    weights = torch.linspace(-1, 2, output.numel(), dtype=output.dtype).reshape(output.shape)
    of_output, inputs = (output * weights).sum(), [given[0], *given[2]]
    both = torch.autograd.grad(of_output + after.sin().sum(), inputs, retain_graph=True)
    return [output, after, *both, *torch.autograd.grad(of_output, inputs)]


# rows, blocks, channels, modes, samples: tiles and pieces that are full and that are not
CASES = [(3, 2, 16, 4, 150), (1, 3, 5, 3, 64), (2, 1, 1, 1, 1)]


@pytest.mark.slow  # compiled anew for double precision; in single precision below
@pytest.mark.parametrize("sizes", CASES)
def test_outputs_and_gradients_are_those_of_torch(sizes):
    given = fresh(torch.float64, *sizes)
    for own, expected in zip(results(run_state_spaces, given), results(plain_spaces, given), strict=True):
        torch.testing.assert_close(own, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("sizes", CASES)
def test_single_precision_is_near_to_double(sizes):
    exact = results(plain_spaces, fresh(torch.float64, *sizes))
    single = results(run_state_spaces, fresh(torch.float32, *sizes))
    for own, expected in zip(single, exact, strict=True):
        assert (own.double() - expected).norm() <= 1e-5 * expected.norm()


def test_without_a_gradient_and_in_two_threads_it_is_the_same(monkeypatch):
    given = fresh(torch.float32, 17, 2, 6, 2, 70)
    alone = results(run_state_spaces, given)
    monkeypatch.setattr("tapezoo.layers.state_space_stack._CACHED", 4096)  # several groups of rows
    with torch.no_grad():
        played = run_state_spaces(*given)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    shared = results(run_state_spaces, given)
    for each in (list(played), shared[:2]):
        torch.testing.assert_close(each, alone[:2], rtol=0, atol=0)
    for own, expected in zip(shared[2:], alone[2:], strict=True):  # summed in other parts
        assert (own - expected).norm() <= 1e-5 * expected.norm()


def test_what_is_not_finite_stays_in_its_row_and_is_not_hidden():
    given = fresh(torch.float32, 3, 2, 4, 2, 100)
    with torch.no_grad():
        given[0][1, 0, 20] = torch.nan
        output, _ = run_state_spaces(*given)
    assert bool(output[[0, 2]].isfinite().all())
    assert bool(output[1, 0, :20].isfinite().all())
    assert bool(output[1, 0, 20:].isnan().all())


def test_an_s4d_in_training_takes_it_and_learns_and_plays_the_same(monkeypatch):
    torch.manual_seed(0)
    net = S4DNet(0, channels=6, modes=3, num_blocks=2)
    calls = []

    def counted(*args):
        calls.append(args)
        return run_state_spaces(*args)

    monkeypatch.setattr("tapezoo.models.s4d.run_state_spaces", counted)
    input, controls = torch.randn(2, 1, 100), torch.zeros(2, 0)

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
    torch.testing.assert_close(played, own[0].detach(), rtol=1e-5, atol=1e-5)
    monkeypatch.setattr("tapezoo.models.s4d.runs_state_spaces", lambda *_: False)
    for each, expected in zip(own, learned(), strict=True):
        assert (each - expected).norm() <= 1e-4 * expected.norm()


def test_a_state_that_is_learned_gets_its_gradient():
    net = S4DNet(0, channels=4, modes=2, num_blocks=2)
    state = torch.zeros(1, 2, 4, 2, 2, dtype=torch.float64, requires_grad=True)
    net(torch.randn(1, 1, 30), torch.zeros(1, 0), {"modes": state})[0].sum().backward()
    assert float(state.grad.abs().max()) > 0
