"""The compiled loop of state transition nets against the plain one, and what such nets hear against scipy."""

import numpy as np
import pytest
import torch
from scipy.signal import lfilter, lfiltic

from tapezoo.layers.transition import UNLIMITED, Weights, loop_transition, run_transition
from tapezoo.layers.transition_inputs import INPUTS, langevin, response_samples, slope
from tapezoo.layers.transition_loops import tanh_table


def nets(count, layers, width, samples, rows, dtype=torch.float64):
    random = torch.Generator().manual_seed(0)

    def draw(*shape):
        values = 0.7 * torch.randn(*shape, generator=random, dtype=torch.float64)
        return values.to(dtype).requires_grad_()

    weights = Weights(
        draw(count, width),
        draw(count, layers - 1, width, width),
        draw(count, layers - 1, width),
        draw(count, width),
        draw(count),
        torch.tensor([0.6, UNLIMITED], dtype=dtype)[:count],
    )
    step = 0.3 * draw(count, samples, rows).detach()
    turn = torch.sign(draw(count, samples, rows).detach())
    return draw(count, width, samples, rows), step, turn, draw(count, rows), weights


def one_by_one(heard, step, turn, start, weights):
    """Each net in torch's own operators."""
    paths = []
    for net in range(len(heard)):
        own = Weights(*(part[net : net + 1] for part in weights))
        paths.append(loop_transition(heard[net], step[net], turn[net], start[net], own))
    return torch.stack(paths)


@pytest.mark.parametrize(
    ("layers", "width", "samples", "rows"), [(1, 3, 70, 2), (2, 4, 130, 3), (3, 2, 5, 1)]
)
def test_the_gradient_written_by_hand_is_that_of_pytorch(layers, width, samples, rows):
    heard, step, turn, start, weights = nets(2, layers, width, samples, rows)
    sources = [heard, start, *(part for part in weights[:-1] if part.numel())]
    mix = torch.randn(2, samples, rows, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    results = []
    for play in (run_transition, one_by_one):
        path = play(heard, step, turn, start, weights)
        results.append([path, *torch.autograd.grad((path * mix).sum() + path[:, -1].square().sum(), sources)])
    held = results[0][0][0].abs() == weights.limit[0]  # where the gradient ends
    assert samples < 20 or 0.05 < float(held.double().mean()) < 0.95
    for own, torchs in zip(*results, strict=True):
        torch.testing.assert_close(own, torchs, rtol=1e-11, atol=1e-12)


def test_in_single_precision_it_is_as_near_as_single_precision_goes():
    own = run_transition(*nets(1, 2, 4, 200, 17, torch.float32))
    exact = one_by_one(*nets(1, 2, 4, 200, 17))
    torch.testing.assert_close(own.double(), exact, rtol=0, atol=1e-5)  # nets that turn amplify


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 4e-7), (torch.float64, 2e-15)])
def test_its_tanh_is_tanh(dtype, tolerance):
    x = torch.cat([torch.linspace(-30, 30, 4001), torch.logspace(-20, 0, 50), torch.tensor([torch.inf])])
    x = x.to(dtype)
    one = torch.ones(1, 1, dtype=dtype)
    nothing = Weights(
        torch.zeros_like(one),
        one.new_zeros(1, 0, 1, 1),
        one.new_zeros(1, 0, 1),
        one,
        one[0] * 0,
        one[0] * UNLIMITED,
    )
    heard, step = x.reshape(1, 1, 1, -1), torch.ones(1, 1, len(x), dtype=dtype)
    found = run_transition(heard, step, step, torch.zeros(1, len(x), dtype=dtype), nothing)[0, 0]
    exact = torch.tanh(x.double())
    assert float(((found.double() - exact) / exact.abs().clamp_min(1e-30)).abs().max()) < tolerance
    assert tanh_table(np.dtype(np.float32)).dtype == np.float32


def test_nan_stays_nan():
    heard, step, turn, start, weights = nets(1, 2, 4, 20, 2, torch.float32)
    with torch.no_grad():
        heard[0, 1, 10, 0] = torch.nan
    path = run_transition(heard, step, turn, start, weights)
    assert torch.isnan(path[0, 10:, 0]).all()
    assert torch.isfinite(path[0, :, 1]).all()


@pytest.mark.parametrize(("alpha", "rise"), [(0.75, 1.0), (0.75, 2.0), (0.0, 1.0), (0.95, 1.0)])
def test_the_slope_is_the_alpha_transform(alpha, rise):
    field = torch.randn(2, 700, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    before, slope_before = torch.tensor([[0.4], [-1.0]]).double(), torch.tensor([[0.7], [0.1]]).double()
    rows = []
    for row in range(2):
        gain, poles = [(1 + alpha) * rise, -(1 + alpha) * rise], [1.0, alpha]
        state = lfiltic(gain, poles, [slope_before[row].item()], [before[row].item()])
        rows.append(lfilter(gain, poles, field[row].numpy(), zi=state)[0])
    found = slope(field, before, slope_before, alpha, rise)
    np.testing.assert_allclose(found.numpy(), rows, atol=1e-7)
    assert response_samples(alpha) < 500


def test_langevins_function_and_its_gradient_pass_through_0():
    x = torch.tensor([-40.0, -3.0, -0.51, -1e-3, 0.0, 1e-8, 0.49, 0.51, 2.0], dtype=torch.float64)
    x.requires_grad_()
    assert torch.autograd.gradcheck(langevin, (x,), eps=1e-6, atol=1e-5)
    away = x.detach()[x.detach().abs() > 0.1].numpy()
    expected = 1 / np.tanh(away) - 1 / away
    np.testing.assert_allclose(langevin(torch.from_numpy(away)).numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("name", INPUTS)
def test_inputs_are_as_many_as_they_say_and_silence_is_heard_as_nothing(name):
    inputs = INPUTS[name]()
    heard = inputs(*torch.zeros(4, 6, 2))
    assert heard.shape == (inputs.count, 6, 2)
    assert not heard.any()
    loud = inputs(*(sign * torch.ones(6, 2) for sign in (1, -1, 1, 1)))
    if name in ("sign", "anhysteretic"):
        torch.testing.assert_close(loud[4], -torch.ones(6, 2), atol=1e-6, rtol=0)
