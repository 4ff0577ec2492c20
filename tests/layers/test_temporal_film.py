"""Temporal FiLM against its formula, sample by sample."""

import pytest
import torch

from tapezoo.layers.temporal_film import POOLED_SAMPLES, TemporalFiLM


def start(layer, rows):
    return {name: value.expand(rows, *value.shape).clone() for name, value in layer.rest().items()}


def temporal_film_by_samples(layer, features, controls):
    """One row, sample by sample, with torch's LSTM cell: (channels, samples) in and out."""
    channels, samples = features.shape
    cell = torch.nn.LSTMCell(channels + controls.shape[0], channels).double()
    with torch.no_grad():
        cell.weight_ih.copy_(layer.pooled.weight)
        cell.bias_ih.copy_(layer.pooled.bias)
        cell.weight_hh.copy_(layer.recurrent.weight)
        cell.bias_hh.zero_()
    memory = (torch.zeros(1, channels).double(), torch.zeros(1, channels).double())
    loudest, output = torch.zeros(channels).double(), []
    for n in range(samples):
        gain, offset = (layer.modulation.weight @ memory[0][0] + layer.modulation.bias).chunk(2)
        output.append(features[:, n] * gain + offset)
        loudest = torch.maximum(loudest, features[:, n].abs())
        if (n + 1) % POOLED_SAMPLES == 0:
            memory = cell(torch.cat([loudest, controls[:, n]]).unsqueeze(0), memory)
            loudest = torch.zeros(channels).double()
    return torch.stack(output, dim=-1)


@pytest.mark.parametrize("num_controls", [0, 2])
def test_temporal_film_hears_whole_blocks_and_modulates_the_next_one(num_controls):
    torch.manual_seed(0)
    layer = TemporalFiLM(num_controls, 3).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    features = torch.randn(2, 3, 700, dtype=torch.float64)
    controls = torch.rand(2, num_controls, 700, dtype=torch.float64)
    rest = {name: value.double() for name, value in start(layer, 2).items()}
    with torch.no_grad():
        expected = torch.stack(
            [temporal_film_by_samples(layer, features[row], controls[row]) for row in range(2)]
        )
        whole, after = layer(features, controls, rest)
        torch.testing.assert_close(whole, expected)
        for split in (1, 100, POOLED_SAMPLES, 333):
            state, parts = rest, []
            for begin in range(0, 700, split):
                part = slice(begin, begin + split)
                output, state = layer(features[..., part], controls[..., part], state)
                parts.append(output)
            torch.testing.assert_close(torch.cat(parts, dim=-1), expected)
            torch.testing.assert_close(state, after)
    assert float(after["clock"][0]) == 700 % POOLED_SAMPLES


def test_temporal_film_has_the_stated_size():
    parameters = sum(parameter.numel() for parameter in TemporalFiLM(2, 5).parameters())
    assert parameters == 4 * 5 * (5 + 2 + 1) + 4 * 25 + 2 * 5 * 6
    assert TemporalFiLM(2, 5).receptive_field is None


def test_no_two_tensors_of_a_rest_state_are_the_same_memory():
    rest = TemporalFiLM(1, 4).rest()
    assert len({value.data_ptr() for value in rest.values()}) == len(rest)
