"""Memories against plain loops written from their formulas."""

import numpy as np
import pytest
import torch

from tapezoo.layers.followers import LONGEST_MS, SHORTEST_MS, Lag, Level

RATE = 8000


def moved(kind, num_controls, seed=0):
    torch.manual_seed(seed)
    memory = kind(num_controls, 3, RATE)
    with torch.no_grad():
        for parameter in memory.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    return memory


def by_hand(kind, u, time_ms, firsts, seconds):
    """One row, sample by sample in float64; first and second (F, samples)."""
    p = np.exp(-1 / (time_ms * 1e-3 * RATE))
    m, output = np.zeros(len(p)), []
    for x, first, second in zip(u, firsts.T, seconds.T, strict=True):
        s = np.tanh(np.exp(first) * x) if kind is Lag else np.full(len(p), abs(x))
        m = p * m + (1 - p) * s
        lag = x + np.sum(second * (m - s))
        level = x * np.exp(4 * np.tanh(np.sum(first * m) / 4)) + np.sum(second * m)
        output.append(lag if kind is Lag else level)
    return np.array(output)


@pytest.mark.parametrize(("num_controls", "moving"), [(0, False), (2, False), (2, True)])
@pytest.mark.parametrize("kind", [Lag, Level])
def test_a_memory_is_its_formula_in_any_blocks(kind, num_controls, moving):
    memory, controls = moved(kind, num_controls), torch.rand(2, num_controls)
    path = controls[..., None] * torch.linspace(0.0, 1.0, 400) if moving else controls[..., None]
    u = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (2, 1, 400))).float()
    parts, state = [], torch.zeros(2, 3, 2)
    with torch.no_grad():
        for start in range(0, 400, 90):
            way = path[..., start : start + 90] if moving else path
            part, state = memory(u[..., start : start + 90], controls, way, state)
            parts.append(part)
        times = memory.settings(controls)[0].expand(2, -1, -1).double().numpy()
        # the others at every sample's setting: (2, F, 400) each
        each = [memory.settings(setting)[1:] for setting in path.expand(-1, -1, 400).unbind(-1)]
        others = [torch.cat(kind, dim=-1).expand(2, -1, -1).double() for kind in zip(*each, strict=True)]
    for row in range(2):
        numbers = [value[row].numpy() for value in others]
        expected = by_hand(kind, u[row, 0].double().numpy(), times[row, :, 0], *numbers)
        np.testing.assert_allclose(torch.cat(parts, -1)[row, 0], expected, atol=2e-5)


@pytest.mark.parametrize("kind", [Lag, Level])
def test_a_fresh_memory_changes_nothing(kind):
    u = torch.randn(1, 1, 200)
    output, _ = kind(0, 4, RATE)(u, torch.zeros(1, 0), torch.zeros(1, 0, 1), torch.zeros(1, 4, 2))
    torch.testing.assert_close(output, u)


@pytest.mark.parametrize("push", [-30.0, 30.0])
def test_time_constants_stay_in_their_range(push):
    memory = Lag(0, 2, RATE)
    with torch.no_grad():
        memory.numbers.start.add_(push)
    times = memory.settings(torch.zeros(1, 0))[0].detach()
    assert float(times.min()) >= SHORTEST_MS * 0.999
    assert float(times.max()) <= LONGEST_MS * 1.001


def test_a_lag_leaves_slow_signals_alone_and_makes_a_loop_of_fast_ones():
    memory = Lag(0, 1, RATE)
    with torch.no_grad():
        memory.numbers.start.copy_(torch.tensor([0.0, 0.0, 0.5]))  # 0.7 ms
    time_s = torch.arange(RATE) / RATE
    for frequency_hz, least, most in ((1.0, 0.0, 0.01), (1000.0, 0.05, 1.0)):
        u = torch.sin(2 * torch.pi * frequency_hz * time_s)[None, None]
        with torch.no_grad():
            v, _ = memory(u, torch.zeros(1, 0), torch.zeros(1, 0, 1), torch.zeros(1, 1, 2))
        loop = float((v - u).abs().max())
        assert least <= loop <= most


@pytest.mark.parametrize("push", [-1e4, 1e4])
def test_a_level_moves_the_gain_by_at_most_35_db_however_loud_it_is(push):
    memory = Level(0, 2, RATE)
    with torch.no_grad():
        memory.numbers.start[2:4] = push
        u = torch.linspace(0.5, 100.0, 4000)[None, None]
        v, state = memory(u, torch.zeros(1, 0), torch.zeros(1, 0, 1), torch.zeros(1, 2, 2))
    gain_db = 20 * torch.log10(v / u)[0, 0, 1000:]
    assert bool(state.isfinite().all())
    expected = torch.full_like(gain_db, 20 * np.log10(np.e) * np.copysign(4.0, push))
    torch.testing.assert_close(gain_db, expected, atol=1e-2, rtol=0)
