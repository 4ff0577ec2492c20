"""A delay around its centre: where it says, exact at whole samples, the same in blocks of any length."""

import numpy as np
import pytest
import torch

from tapezoo.devices.transport import read_delayed
from tapezoo.layers.wandering_delay import WanderingDelay


def read(line, input, deviation, blocks):
    parts, past = [], torch.zeros(len(input), 1, line.past_samples, dtype=input.dtype)
    for piece, wander in zip(input.split(blocks, dim=1), deviation.split(blocks, dim=1), strict=True):
        part, past = line(piece[:, None], wander, past, piece.shape[1])
        parts.append(part[:, 0])
    return torch.cat(parts, dim=1)


@pytest.mark.parametrize("deviation", [-5, 0, 5])
def test_whole_samples_are_exact_to_the_bit_up_to_the_reach(deviation):
    line, input = WanderingDelay(5), torch.randn(2, 400)
    output = read(line, input, torch.full((2, 400), float(deviation), dtype=torch.float64), 64)
    late = line.latency_samples + deviation
    assert torch.equal(output[:, late:], input[:, :-late])
    assert not output[:, :late].any()


@pytest.mark.parametrize(("frequency_hz", "most"), [(1000, 1e-5), (10000, 1e-5), (16000, 4e-5)])
def test_tones_are_read_where_the_delay_says(frequency_hz, most):
    line, number = WanderingDelay(9), torch.arange(4000, dtype=torch.float64)
    turn = 2 * np.pi * frequency_hz / 44100
    deviation = 9 * torch.sin(2 * np.pi * number / 1500)
    output = read(line.double(), torch.sin(turn * number)[None], deviation[None], 333)
    expected = torch.sin(turn * (number - line.latency_samples - deviation))
    assert float((output - expected)[:, 60:].abs().max()) < most  # -100 and -88 dB


def test_blocks_do_not_matter_and_it_reads_as_the_virtual_tape_does():
    line, input = WanderingDelay(9), torch.randn(1, 3000)
    deviation = 9 * torch.cos(torch.arange(3000, dtype=torch.float64) / 300)[None]
    whole = read(line, input, deviation, 3000)
    for blocks in (1, 50, 333):
        torch.testing.assert_close(read(line, input, deviation, blocks), whole, atol=2e-6, rtol=0)
    expected = read_delayed(input[0].double().numpy(), deviation[0].numpy() + line.latency_samples)
    np.testing.assert_allclose(whole[0].numpy(), expected, atol=2e-5)
