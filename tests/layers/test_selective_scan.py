"""The selective scan in both of its forms against the recurrence written as a loop."""

import numpy as np
import pytest
import torch
from torch import Tensor

from tapezoo.layers.selective_scan import CACHED_SAMPLES, PIECE_SAMPLES, selective_scan

LENGTHS = [1, 7, PIECE_SAMPLES, PIECE_SAMPLES + 1, 3 * PIECE_SAMPLES - 5, CACHED_SAMPLES + 3]


def given(samples: int, dtype: torch.dtype = torch.float64, longest: float = 1.0) -> list[Tensor]:
    """x, delta, A, B, C and the state of two rows of three channels with four states each."""
    generator = torch.Generator().manual_seed(0)

    def noise(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=dtype)

    step = longest * torch.rand(samples, 2, 3, generator=generator, dtype=dtype)
    rate = -torch.rand(3, 4, generator=generator, dtype=dtype) - 0.1
    return [
        noise(samples, 2, 3), step, rate, noise(samples, 2, 4), noise(samples, 2, 4), noise(2, 3, 4)
    ]  # fmt: skip


def by_the_paper(x, delta, A, B, C, h):
    """Algorithm 2, one sample, row, channel and state after another."""
    y = np.zeros(x.shape)
    for t, row, channel in np.ndindex(x.shape):
        for n in range(A.shape[1]):
            step = delta[t, row, channel]
            h[row, channel, n] = (
                np.exp(step * A[channel, n]) * h[row, channel, n] + step * B[t, row, n] * x[t, row, channel]
            )
            y[t, row, channel] += C[t, row, n] * h[row, channel, n]
    return y, h


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("samples", LENGTHS)
def test_it_is_the_papers_recurrence(samples, training):
    arguments = given(samples)
    expected = by_the_paper(*(each.numpy().copy() for each in arguments))
    with torch.set_grad_enabled(training):
        found = selective_scan(*arguments)
    for each, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(each.numpy(), wanted, atol=1e-12)


@pytest.mark.parametrize("of", ["y", "state", "both"])
def test_the_gradient_by_hand_is_that_of_a_plain_loop(of):
    arguments = [each.requires_grad_() for each in given(40)]

    def value(y: Tensor, after: Tensor) -> Tensor:
        parts = {"y": y.sin().sum(), "state": after.square().sum()}
        return sum(parts.values()) if of == "both" else parts[of]

    x, delta, A, B, C, h = arguments
    heard = []
    for t in range(40):
        step = delta[t].unsqueeze(-1)
        h = torch.exp(step * A) * h + step * B[t].unsqueeze(1) * x[t].unsqueeze(-1)
        heard.append((C[t].unsqueeze(1) * h).sum(-1))
    # C does not reach the state
    wanted = torch.autograd.grad(value(torch.stack(heard), h), arguments, allow_unused=True)
    found = torch.autograd.grad(value(*selective_scan(*arguments)), arguments, allow_unused=True)
    for each, expected in zip(found, wanted, strict=True):
        torch.testing.assert_close(each, torch.zeros_like(each) if expected is None else expected)


@pytest.mark.parametrize("training", [True, False])
def test_states_that_forget_at_once_stay_finite(training):
    """A cumulative product over 64 such samples is 0 in any precision; nothing may be divided by it."""
    x, delta, A, B, C, h = given(130, torch.float32, longest=500.0)
    with torch.set_grad_enabled(training):
        y, after = selective_scan(x, delta, A, B, C, h)
    expected, _ = by_the_paper(*(each.double().numpy() for each in (x, delta, A, B, C, h)))
    np.testing.assert_allclose(y.numpy(), expected, atol=1e-5 * np.abs(expected).max())
    assert bool(after.isfinite().all())


def test_long_memories_need_the_state_in_float64():
    """Of a million samples, in blocks of one: in float32 the rounding of every block would remain."""
    x, delta, A, B, C, h = given(300, torch.float32)
    delta, A = torch.full_like(delta, 1e-6), -torch.ones_like(A)
    expected, _ = by_the_paper(*(each.double().numpy() for each in (x, delta, A, B, C, 10 * h)))

    def largest_error(state: Tensor) -> float:
        parts = []
        with torch.no_grad():
            for some in zip(*(each.split(1) for each in (x, delta, B, C)), strict=True):
                y, state = selective_scan(*some[:2], A, *some[2:], state)
                parts.append(y)
        return float(np.abs(torch.cat(parts).numpy() - expected).max() / np.abs(expected).max())

    assert largest_error(10 * h.double()) < 1e-6 < largest_error(10 * h) / 2
