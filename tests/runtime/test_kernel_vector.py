"""The activations of the kernels are those of double precision, to float32's rounding, from 1e-20 to saturation."""

import numpy as np
import pytest

pytest.importorskip("numba")

from tapezoo.runtime.kernels.vector import LANES, compiled, load, sigmoid, soon_tanh, store, tanh


@compiled
def _both(x, tanhs, sigmoids, soon):
    for start in range(0, len(x), LANES):
        store(tanhs, start, soon_tanh(load(x, start)) if soon else tanh(load(x, start)))
        store(sigmoids, start, sigmoid(load(x, start)))


def both(x, soon=False):
    tanhs, sigmoids = np.empty_like(x), np.empty_like(x)
    _both(x, tanhs, sigmoids, soon)
    return tanhs.astype(np.float64), sigmoids.astype(np.float64)


def test_they_are_right_to_a_few_roundings():
    random = np.random.default_rng(0)
    small = 10 ** random.uniform(-20, 0, 1 << 14) * random.choice([-1, 1], 1 << 14)
    edge = 0.625 + np.linspace(-1e-4, 1e-4, 1 << 10)  # where two formulas meet
    x = np.concatenate([random.uniform(-80, 80, 1 << 14), small, edge, -edge]).astype(np.float32)
    tanhs, sigmoids = both(x)
    exact = x.astype(np.float64)
    np.testing.assert_allclose(tanhs, np.tanh(exact), rtol=3e-7)
    np.testing.assert_allclose(both(x, soon=True)[0], np.tanh(exact), rtol=6e-7)
    np.testing.assert_allclose(sigmoids, 1 / (1 + np.exp(-exact)), rtol=3e-7)


def test_beyond_saturation_and_for_no_number_they_say_so():
    x = np.resize(np.array([np.inf, -np.inf, 300, -300, np.nan, 0, -0.0], np.float32), LANES)
    tanhs, sigmoids = both(x)
    np.testing.assert_array_equal(tanhs[:7], [1, -1, 1, -1, np.nan, 0, 0])
    np.testing.assert_allclose(both(x, soon=True)[0][:7], [1, -1, 1, -1, np.nan, 0, 0], rtol=6e-7)
    np.testing.assert_allclose(sigmoids[:7], [1, 0, 1, 0, np.nan, 0.5, 0.5], atol=1e-37)
