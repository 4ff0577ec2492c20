"""Conditioning layers against their formulas."""

import pytest
import torch

from tapezoo.layers.conditioning import (
    CONDITIONERS,
    Concatenation,
    FiLM,
    FiLMGLU,
    SoftsignGLU,
    conditioner,
)


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def start(layer, rows):
    return {name: value.expand(rows, *value.shape).clone() for name, value in layer.rest().items()}


def shaken(layer):
    """Fresh weights moved, so that nothing is 0 or 1."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return layer


def test_film_scales_and_shifts_each_channel_by_affine_functions_of_the_controls():
    film, features, controls = FiLM(2, 3), torch.randn(4, 3, 5), torch.rand(4, 2, 5)
    weight, bias = film.affine.weight.detach(), film.affine.bias.detach()
    output, _ = film(features, controls, {})
    for row in range(4):
        for n in range(5):
            gain = weight[:3] @ controls[row, :, n] + bias[:3]
            offset = weight[3:] @ controls[row, :, n] + bias[3:]
            torch.testing.assert_close(output[row, :, n], features[row, :, n] * gain + offset)


@pytest.mark.parametrize("name", CONDITIONERS)
def test_controls_that_stand_still_are_one_column_for_all_samples(name):
    layer, features, controls = shaken(conditioner(name, 2, 3)), torch.randn(4, 3, 300), torch.rand(4, 2, 1)
    held, _ = layer(features, controls, start(layer, 4))
    moving, _ = layer(features, controls.expand(-1, -1, 300), start(layer, 4))
    torch.testing.assert_close(held, moving)


def test_film_and_concatenation_without_controls_are_nothing():
    features = torch.randn(2, 3, 5)
    for layer in (FiLM(0, 3), Concatenation(0, 3)):
        assert count(layer) == 0
        assert torch.equal(layer(features, torch.zeros(2, 0, 1), {})[0], features)


def test_the_gate_is_a_softsign_of_the_second_half():
    glu, features = SoftsignGLU(2), torch.randn(1, 2, 1)
    mixed = glu.mix.weight @ features[0, :, 0] + glu.mix.bias
    expected = mixed[:2] * mixed[2:] / (1 + mixed[2:].abs())
    torch.testing.assert_close(glu(features)[0, :, 0], expected)


def test_the_papers_layer_is_film_and_then_the_gate():
    layer, features, controls = FiLMGLU(1, 4), torch.randn(2, 4, 6), torch.rand(2, 1, 6)
    modulated, _ = layer.film(features, controls, {})
    torch.testing.assert_close(layer(features, controls, {})[0], layer.glu(modulated))
    assert torch.equal(FiLMGLU(0, 4).film(features, controls[:, :0], {})[0], features)


def test_the_conditioned_part_of_the_hybrid_papers_net_has_its_size():
    assert count(FiLMGLU(1, 8)) == 32 + 144
    assert count(FiLMGLU(3, 8)) == 64 + 144


def test_concatenation_is_a_layer_over_features_and_controls():
    layer, features, controls = shaken(Concatenation(2, 3)), torch.randn(4, 3, 5), torch.rand(4, 2, 5)
    expected = layer.mix(torch.cat([features, controls], dim=1).transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(layer(features, controls, {})[0], expected)
    assert count(layer) == 3 * (3 + 2 + 1)


def test_fresh_concatenation_passes_the_features():
    layer, features = Concatenation(2, 3), torch.randn(4, 3, 5)
    assert torch.equal(layer(features, torch.zeros(4, 2, 5), {})[0], features)
    turned = layer(features, torch.ones(4, 2, 5), {})[0].detach()
    assert 0 < float((turned - features).abs().max()) < 0.2


def test_layers_are_made_by_name():
    assert {name: type(conditioner(name, 1, 2)).__name__ for name in CONDITIONERS} == {
        "film": "FiLM",
        "film_glu": "FiLMGLU",
        "concat": "Concatenation",
        "temporal_film": "TemporalFiLM",
    }
    with pytest.raises(ValueError, match="film_glu"):
        conditioner("flim", 1, 2)
