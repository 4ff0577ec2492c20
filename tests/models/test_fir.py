"""The linear floor against numpy's least squares, and the filter that follows its controls."""

import numpy as np
import pytest
import scipy.signal
import torch
from gliding import glide, played

from tapezoo.data.least_squares import least_squares_fir, linear_floor
from tapezoo.models.fir import FIRNet

RNG = np.random.default_rng(0)


def design_matrix(x: np.ndarray, taps: int) -> np.ndarray:
    return np.stack([np.concatenate([np.zeros(k), x[: len(x) - k]]) for k in range(taps)], axis=1)


def test_the_closed_form_equals_a_least_squares_solver_over_several_pairs():
    pairs = []
    for samples in (3000, 700):
        x = scipy.signal.lfilter([1.0], [1.0, -0.9], RNG.standard_normal(samples))
        pairs.append((x, np.tanh(x) + 0.1 * RNG.standard_normal(samples)))
    stacked = np.concatenate([design_matrix(x, 20) for x, _ in pairs])
    expected = np.linalg.lstsq(stacked, np.concatenate([d for _, d in pairs]), rcond=None)[0]
    np.testing.assert_allclose(least_squares_fir(pairs, 20), expected, atol=1e-6)


def test_a_linear_machine_has_a_floor_of_nothing_and_noise_is_the_floor_of_a_noisy_one():
    x = RNG.standard_normal((2, 40000)).astype(np.float32)
    filtered = scipy.signal.lfilter(RNG.standard_normal(30), [1.0], x, axis=-1)
    noisy = filtered + 0.1 * filtered.std() * RNG.standard_normal(x.shape)
    clean = linear_floor([(x[0], filtered[0])], [(x[1], filtered[1])], skip_samples=100)
    assert clean < 1e-9
    floor = linear_floor([(x[0], noisy[0])], [(x[1], noisy[1])], skip_samples=100)
    assert floor == pytest.approx(0.01 / 1.01, rel=0.05)


def test_taps_follow_moving_controls_sample_by_sample():
    torch.manual_seed(0)
    net, x = FIRNet(2, 5), torch.randn(1, 1, 1300)
    with torch.no_grad():
        net.taps.normal_()
    start, target = torch.tensor([[0.1, 0.9]]), torch.tensor([[0.8, 0.2]])
    path, g = glide(start, target, 1300)[0].double().numpy(), net.taps.detach().double().numpy()[:, 0, ::-1]
    signal, expected = x[0, 0].double().numpy(), np.zeros(1300)
    for n in range(1300):
        taps = g[0] + path[0, n] * g[1] + path[1, n] * g[2]
        expected[n] = sum(taps[k] * signal[n - k] for k in range(min(5, n + 1)))
    np.testing.assert_allclose(played(net, x, start, target)[0, 0].numpy(), expected, atol=1e-5)
