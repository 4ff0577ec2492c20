"""The activations of the kernels are those of double precision, to float32's rounding, from 1e-20 to saturation."""

import numpy as np
import pytest

pytest.importorskip("numba")

from tapezoo.runtime.kernels.activations import gate_tanh, gated, power_of_two, quick_tanh, soon_tanh, tanh
from tapezoo.runtime.kernels.vector import LANES, compiled, load, store

random = np.random.default_rng(0)
small = 10 ** random.uniform(-20, 0, 1 << 14) * random.choice([-1, 1], 1 << 14)
edge = 0.625 + np.linspace(-1e-4, 1e-4, 1 << 10)  # where two formulas meet
X = np.concatenate([random.uniform(-80, 80, 1 << 14), small, edge, -edge]).astype(np.float32)
ODD = np.resize(np.array([np.inf, -np.inf, 300, -300, np.nan, 0, -0.0], np.float32), LANES)


@compiled
def _all(x, results):
    for start in range(0, len(x), LANES):
        value = load(x, start)
        store(results[0], start, tanh(value))
        store(results[1], start, soon_tanh(value))
        store(results[2], start, quick_tanh(value))
        store(results[3], start, power_of_two(value))


@compiled
def _gates(a, b, results):
    for start in range(0, len(a), LANES):
        store(results[0], start, gated(load(a, start), load(b, start)))
        store(results[1], start, gate_tanh(load(a, start), load(b, start)))


def curves(x):
    results = np.empty((4, len(x)), np.float32)
    _all(x, results)
    return dict(zip(("tanh", "soon", "quick", "power"), results.astype(np.float64), strict=True))


def test_they_are_right_to_a_few_roundings():
    found, exact = curves(X), X.astype(np.float64)
    np.testing.assert_allclose(found["tanh"], np.tanh(exact), rtol=3e-7)
    np.testing.assert_allclose(found["soon"], np.tanh(exact), rtol=6e-7)
    np.testing.assert_allclose(found["quick"], np.tanh(exact), rtol=6e-7)
    np.testing.assert_allclose(found["power"], np.exp2(np.clip(exact, -60, 60)), rtol=2e-7)


def test_gates_are_right_with_one_division():
    a, b = X, random.permutation(X)
    results = np.empty((2, len(a)), np.float32)
    _gates(a, b, results)
    opened = np.tanh(a.astype(np.float64)) / (1 + np.exp(-b.astype(np.float64)))
    np.testing.assert_allclose(
        results[0], opened, rtol=9e-7 + 60 * 2**-24, atol=1e-18
    )  # the exponent is rounded too
    powers = np.exp2(random.uniform(-60, 60, len(a))).astype(np.float32)
    _gates(a, powers, results)
    np.testing.assert_allclose(
        results[1], np.tanh(a.astype(np.float64)) / (1 + powers.astype(np.float64)), rtol=9e-7
    )


def test_beyond_saturation_and_for_no_number_they_say_so():
    found = curves(ODD)
    np.testing.assert_array_equal(found["tanh"][:7], [1, -1, 1, -1, np.nan, 0, 0])
    for name in ("soon", "quick"):
        np.testing.assert_allclose(found[name][:7], [1, -1, 1, -1, np.nan, 0, 0], rtol=6e-7)
    np.testing.assert_array_equal(found["power"][:7], [2.0**60, 2.0**-60, 2.0**60, 2.0**-60, np.nan, 1, 1])
    results = np.empty((2, LANES), np.float32)
    _gates(np.ones(LANES, np.float32), ODD, results)
    opened = np.tanh(1) / (1 + np.exp(-np.array([np.inf, -np.inf, 300, -300, np.nan, 0, 0])))
    np.testing.assert_allclose(results[0][:7], opened, rtol=9e-7, atol=1e-18)
