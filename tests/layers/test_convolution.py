"""Causal convolution against torch's own, its gradient against torch's own."""

import pytest
import torch
from torch import nn

from tapezoo.layers.activations import fast_tanh
from tapezoo.layers.convolution import causal_convolution, convolution

GENERATOR = torch.Generator().manual_seed(0)


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=GENERATOR, dtype=torch.double).requires_grad_()


@pytest.mark.parametrize("dilation", [1, 3, 40])  # 40: more than the block
@pytest.mark.parametrize("in_channels", [1, 4])
@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("with_offset", [False, True])
def test_output_and_every_gradient_are_those_of_conv1d(dilation, in_channels, with_bias, with_offset):
    context, weight = noise(3, in_channels, 2 * dilation + 17), noise(5, in_channels, 3)
    bias = noise(5) if with_bias else None
    offset = noise(3, 5, 17) if with_offset else None
    expected = nn.functional.conv1d(context, weight, bias, dilation=dilation)
    expected = expected if offset is None else expected + offset
    output = convolution(context, weight, bias, dilation, offset)
    torch.testing.assert_close(output, expected)
    inputs = [tensor for tensor in (context, weight, bias, offset) if tensor is not None]
    gradient = noise(3, 5, 17).detach()
    torch.testing.assert_close(
        torch.autograd.grad(output, inputs, gradient), torch.autograd.grad(expected, inputs, gradient)
    )


def test_the_offset_is_left_as_it_was():
    offset = noise(1, 5, 9).detach()
    before = offset.clone()
    convolution(noise(1, 2, 9), noise(5, 2, 1), offset=offset)
    assert torch.equal(offset, before)


@pytest.mark.parametrize("block", [1, 5, 100])
@pytest.mark.parametrize(("taps", "dilation"), [(3, 1), (3, 7), (2, 20), (1, 1)])
def test_blocks_of_any_length_equal_one_zero_padded_convolution(block, taps, dilation):
    input, weight, bias = noise(2, 3, 100), noise(4, 3, taps), noise(4)
    reach = (taps - 1) * dilation
    padded = nn.functional.pad(input, (reach, 0))
    expected = nn.functional.conv1d(padded, weight, bias, dilation=dilation)
    past, parts = torch.zeros(2, 3, reach, dtype=torch.double), []
    for part in input.split(block, dim=-1):
        output, past = causal_convolution(part, past, weight, bias, dilation)
        parts.append(output)
    torch.testing.assert_close(torch.cat(parts, dim=-1), expected)
    torch.testing.assert_close(past, padded[..., padded.shape[-1] - reach :])


def test_an_input_that_needs_no_gradient_gets_none():
    weight = noise(5, 2, 3)
    convolution(noise(1, 2, 12).detach(), weight).sum().backward()
    assert weight.grad is not None


def test_fast_tanh_and_its_gradient_are_those_of_tanh():
    values = torch.cat([torch.linspace(-20, 20, 2001), torch.tensor([-1e4, 1e4])]).requires_grad_()
    output, expected = fast_tanh(values), torch.tanh(values)
    assert float((output - expected).detach().abs().max()) < 2e-7
    (ours,) = torch.autograd.grad(output.sum(), values)
    (theirs,) = torch.autograd.grad(expected.sum(), values)
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)
