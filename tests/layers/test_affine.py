"""Conditioners with their controls held, and the layers that take them over."""

import pytest
import torch

from tapezoo.layers import CONDITIONERS, conditioner
from tapezoo.layers.affine import Affine, Mixing, Scaling, fold_into_next, fold_into_previous
from tapezoo.layers.convolution import causal_convolution, controlled_fir, fold_taps
from tapezoo.layers.equaliser import ParametricEQ
from tapezoo.layers.followers import Lag, Level
from tapezoo.layers.recurrent import append_controls, fold_controls
from tapezoo.layers.trained_numbers import HyperParameters

CHANNELS = 5
NOISE = torch.Generator().manual_seed(0)
AFFINES = [
    Scaling(torch.linspace(0.5, 2.0, CHANNELS), torch.linspace(-1.0, 1.0, CHANNELS)),
    Mixing(torch.randn(CHANNELS, CHANNELS, generator=NOISE), torch.randn(CHANNELS, generator=NOISE)),
]


def shaken(module):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return module


@pytest.mark.parametrize("name", [name for name in CONDITIONERS if name != "temporal_film"])
@torch.no_grad()
def test_a_held_conditioner_does_what_the_moving_one_does_there(name):
    moving = shaken(conditioner(name, 3, CHANNELS))
    features, controls = torch.randn(2, CHANNELS, 20), torch.tensor([0.1, 0.7, 1.0])
    still = moving.held(controls)
    expected, _ = moving(features, controls.reshape(1, 3, 1).expand(2, -1, -1), {})
    output, state = still(features, torch.zeros(2, 0, 1), {})
    torch.testing.assert_close(output, expected, atol=1e-6, rtol=1e-6)
    assert state == {}
    assert still.held(torch.zeros(0)) is still


@pytest.mark.parametrize("name", [name for name in CONDITIONERS if name != "temporal_film"])
def test_without_controls_a_conditioner_is_what_it_would_be_when_held(name):
    plain = conditioner(name, 0, CHANNELS)
    assert plain.held(torch.zeros(0)) is plain


def test_what_follows_the_audio_does_not_become_a_constant():
    assert conditioner("temporal_film", 2, CHANNELS).held(torch.zeros(2)) is None


@pytest.mark.parametrize("affine", AFFINES, ids=lambda affine: type(affine).__name__)
@torch.no_grad()
def test_the_next_layer_takes_over_an_affine(affine: Affine):
    head, features = torch.nn.Linear(CHANNELS, 3), torch.randn(2, CHANNELS, 20)
    expected = head(affine(features, features[:, :0], {})[0].transpose(1, 2))
    output = torch.nn.functional.linear(
        features.transpose(1, 2), *fold_into_next(affine, head.weight, head.bias)
    )
    torch.testing.assert_close(output, expected)
    one_tap, _ = fold_into_next(affine, head.weight.unsqueeze(2), head.bias)
    assert one_tap.shape == (3, CHANNELS, 1)


@pytest.mark.parametrize("bias", [None, torch.linspace(-0.5, 0.5, CHANNELS)], ids=["no bias", "bias"])
@pytest.mark.parametrize("affine", AFFINES, ids=lambda affine: type(affine).__name__)
@torch.no_grad()
def test_the_previous_convolution_takes_over_an_affine_its_past_as_it_was(affine: Affine, bias):
    weight, input, past = torch.randn(CHANNELS, 2, 3), torch.randn(1, 2, 30), torch.randn(1, 2, 8)
    convolved, left = causal_convolution(input, past, weight, bias, dilation=4)
    expected, _ = affine(convolved, input[:, :0], {})
    output, same = causal_convolution(input, past, *fold_into_previous(affine, weight, bias), dilation=4)
    torch.testing.assert_close(output, expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(left, same)


@torch.no_grad()
def test_a_held_filter_is_one_filter():
    taps, controls, input = torch.randn(3, 1, 8), torch.tensor([0.2, 0.9]), torch.randn(1, 1, 40)
    past = torch.randn(1, 1, 7)
    expected, _ = controlled_fir(input, controls.reshape(1, 2, 1), past, taps)
    output, _ = controlled_fir(input, torch.zeros(1, 0, 1), past, fold_taps(taps, controls))
    torch.testing.assert_close(output, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", [torch.nn.LSTM, torch.nn.GRU])
@torch.no_grad()
def test_a_recurrent_layer_hears_held_controls_as_a_bias(kind):
    cell = kind(3, 4, num_layers=2, batch_first=True)
    input, controls = torch.randn(2, 1, 30), torch.tensor([0.4, 1.0])
    expected, _ = cell(append_controls(input, controls.reshape(1, 2, 1).expand(2, -1, -1)))
    still = fold_controls(cell, controls)
    output, _ = still(input.transpose(1, 2))
    torch.testing.assert_close(output, expected, atol=1e-6, rtol=1e-6)
    assert still.input_size == 1


@torch.no_grad()
def test_held_numbers_are_those_of_the_hyper_net_at_the_point():
    numbers, controls = shaken(HyperParameters(2, torch.randn(6))), torch.tensor([0.25, 0.75])
    inner, _, outer = numbers.hyper
    expected = numbers.start + outer.weight @ torch.tanh(inner.weight @ controls + inner.bias)
    torch.testing.assert_close(numbers.held(controls)(torch.zeros(1, 0))[0], expected)


@pytest.mark.parametrize("make", [lambda: Lag(2, 3, 44100), lambda: Level(2, 3, 44100)], ids=["lag", "level"])
@torch.no_grad()
def test_a_held_memory_goes_on_from_the_moving_ones_state(make):
    memory, controls = shaken(make()), torch.tensor([0.25, 0.75])
    input, before = torch.randn(1, 1, 100), 0.1 * torch.randn(1, 3, 2)
    expected, state = memory(input, controls[None], controls.reshape(1, 2, 1), before)
    memory.hold(controls)
    output, same = memory(input, torch.zeros(1, 0), torch.zeros(1, 0, 1), before)
    torch.testing.assert_close(output, expected, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(same, state, atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_a_held_equaliser_goes_on_from_the_moving_ones_state():
    eq, controls = shaken(ParametricEQ(2, 2, 44100)), torch.tensor([0.25, 0.75])
    input, before = torch.randn(1, 1, 100), 0.1 * torch.randn(1, 4, 2)
    expected, state = eq(input, controls[None], controls[None, :, None], before)
    eq.hold(controls)
    output, same = eq(input, torch.zeros(1, 0), torch.zeros(1, 0, 1), before)
    torch.testing.assert_close(output, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(same, state, atol=1e-5, rtol=1e-5)
