"""A delay that changes: read exactly, differentiably, and the same in blocks of any length."""

import numpy as np
import pytest
import torch

from tapezoo.data.batch import LEAST_DELAY_SAMPLES
from tapezoo.devices.transport import read_delayed as read_offline
from tapezoo.layers.delay_line import context_samples, read_delayed, read_whole

RATE = 44100


def wandering(samples: int, rows: int = 1, seed: int = 0) -> torch.Tensor:
    """A delay between 17 and 60 samples, of any phase."""
    time = torch.arange(samples, dtype=torch.float64) / 3000
    phase = torch.rand(rows, 1, 1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return 38.5 + 21.5 * torch.sin(2 * torch.pi * (time + phase))


def silence(delay: torch.Tensor) -> torch.Tensor:
    return torch.zeros(delay.shape[0], 1, context_samples(delay), dtype=torch.float64)


def test_whole_samples_are_exact() -> None:
    signal = torch.randn(2, 1, 300, dtype=torch.float64)
    delay = torch.full_like(signal, 40.0)
    read, _ = read_delayed(signal, delay, silence(delay))
    torch.testing.assert_close(read[..., 40:], signal[..., :-40], atol=1e-12, rtol=0)
    assert not read[..., :24].any()


@pytest.mark.parametrize("frequency_hz", [50.0, 1000.0, 10000.0])
def test_tones_are_read_where_the_delay_says(frequency_hz: float) -> None:
    number = torch.arange(6000, dtype=torch.float64)
    turn = 2 * torch.pi * frequency_hz / RATE
    delay = wandering(6000)
    read, _ = read_delayed(torch.sin(turn * number)[None, None], delay, silence(delay))
    expected = torch.sin(turn * (number - delay))
    assert float((read - expected)[..., 100:].abs().max()) < 1e-4  # -80 dB


def test_it_is_what_virtual_transports_do() -> None:
    signal, delay = np.random.default_rng(0).standard_normal(3000), wandering(3000)
    read = read_whole(torch.from_numpy(signal)[None, None], delay, 0, 512)
    np.testing.assert_allclose(read[0, 0], read_offline(signal, delay[0, 0].numpy()), atol=1e-5)


@pytest.mark.parametrize("block", [1, 7, 64, 333])
def test_blocks_give_what_one_pass_gives(block: int) -> None:
    samples = 40 * block if block < 60 else 1500
    signal, delay = torch.randn(3, 1, samples, dtype=torch.float64), wandering(samples, 3)
    whole, after = read_delayed(signal, delay, silence(delay))
    context, parts = silence(delay), []
    for start in range(0, samples, block):
        part = slice(start, start + block)
        read, context = read_delayed(signal[..., part], delay[..., part], context)
        parts.append(read)
    torch.testing.assert_close(torch.cat(parts, dim=-1), whole, atol=1e-12, rtol=0)
    torch.testing.assert_close(context, after, atol=0, rtol=0)


def test_gradients_reach_the_signal_and_what_came_before() -> None:
    delay = wandering(40, 2)
    signal = torch.randn(2, 1, 40, dtype=torch.float64, requires_grad=True)
    context = torch.randn(2, 1, context_samples(delay), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, b: read_delayed(a, delay, b), (signal, context))


def test_a_latency_delays_what_is_read_and_not_the_delay() -> None:
    signal, delay = torch.randn(1, 1, 2000, dtype=torch.float64), wandering(2000)
    plain = read_whole(signal, delay, 0, 700)
    late = torch.nn.functional.pad(signal, (9, 0))[..., :2000]
    torch.testing.assert_close(read_whole(late, delay, 9, 700)[..., 9:], plain[..., :-9], atol=1e-12, rtol=0)


@pytest.mark.parametrize(("delay", "context"), [(LEAST_DELAY_SAMPLES - 0.5, 100), (50.0, 60)])
def test_a_delay_that_would_look_ahead_or_too_far_back_is_refused(delay: float, context: int) -> None:
    with pytest.raises(ValueError, match="context"):
        read_delayed(torch.zeros(1, 1, 10), torch.full((1, 1, 10), delay), torch.zeros(1, 1, context))


def test_a_table_made_in_a_validation_serves_a_training() -> None:
    from tapezoo.layers import delay_line

    delay_line.sinc_table.cache_clear()
    delay = wandering(50)
    with torch.inference_mode():
        read_delayed(torch.zeros(1, 1, 50, dtype=torch.float64), delay, silence(delay))
    signal = torch.zeros(1, 1, 50, dtype=torch.float64, requires_grad=True)
    read_delayed(signal, delay, silence(delay))[0].sum().backward()
    assert signal.grad is not None
