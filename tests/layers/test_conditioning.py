"""Conditioning layers against their formulas."""

import torch

from tapezoo.layers.conditioning import FiLM, SoftsignGLU


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_film_scales_and_shifts_each_channel_by_affine_functions_of_the_controls():
    film, features, controls = FiLM(2, 3), torch.randn(4, 3, 5), torch.rand(4, 2)
    weight, bias = film.affine.weight.detach(), film.affine.bias.detach()
    output = film(features, controls)
    for row in range(4):
        for channel in range(3):
            gain = (weight[channel] * controls[row]).sum() + bias[channel]
            offset = (weight[3 + channel] * controls[row]).sum() + bias[3 + channel]
            torch.testing.assert_close(output[row, channel], features[row, channel] * gain + offset)


def test_film_of_a_net_without_controls_is_nothing():
    film, features = FiLM(0, 3), torch.randn(2, 3, 5)
    assert count(film) == 0
    assert torch.equal(film(features, torch.zeros(2, 0)), features)


def test_the_gate_is_a_softsign_of_the_second_half():
    glu, features = SoftsignGLU(2), torch.randn(1, 2, 1)
    mixed = glu.mix.weight @ features[0, :, 0] + glu.mix.bias
    expected = mixed[:2] * mixed[2:] / (1 + mixed[2:].abs())
    torch.testing.assert_close(glu(features)[0, :, 0], expected)


def test_the_conditioned_part_of_the_hybrid_papers_net_has_its_size():
    assert count(FiLM(1, 8)) + count(SoftsignGLU(8)) == 32 + 144
    assert count(FiLM(3, 8)) + count(SoftsignGLU(8)) == 64 + 144
