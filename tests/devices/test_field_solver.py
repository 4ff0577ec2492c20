"""The Jiles-Atherton integrator against high precision, scipy's ODE solver and the physics of a loop."""

from decimal import Decimal, getcontext

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from tapezoo.devices.field_solver import DEMAGNETISED, Magnetic, magnetise
from tapezoo.devices.jiles_atherton import initial_susceptibility, langevin, parameters

TAPE = parameters(drive=0.75, saturation=0.5, width=0.5)


def exact_langevin(x: float) -> tuple[float, float]:
    getcontext().prec = 60
    value = Decimal(x)
    coth = ((2 * value).exp() + 1) / ((2 * value).exp() - 1)
    return float(coth - 1 / value), float(1 / value**2 - coth**2 + 1)


@pytest.mark.parametrize(
    "x", [1e-9, 1e-4, 0.01, 0.2, 0.2999999, 0.3000001, 0.7, -0.3, -2.5, 5.0, 40.0, -300.0, 800.0]
)
def test_langevin_and_its_slope_agree_with_60_digits(x):
    value, slope = langevin(x)
    exact_value, exact_slope = exact_langevin(x)
    assert value == pytest.approx(exact_value, rel=3e-14)
    assert slope == pytest.approx(exact_slope, rel=2e-13, abs=1e-15)


def test_langevin_at_zero_has_the_slope_of_one_third():
    assert langevin(0.0) == (0.0, pytest.approx(1 / 3, abs=1e-16))


def reference_magnetisation(field, tape):
    """The paper's equation written again, with numpy, along straight lines between the samples."""

    def slope(H, M, delta):
        Q = (H + tape.alpha * M) / tape.a
        L, dL = exact_langevin(float(Q[0])) if abs(Q[0]) < 0.5 and Q[0] != 0 else _plain(Q[0])
        difference = tape.Ms * L - M
        moves = np.sign(difference) == delta
        wall = (1 - tape.c) * difference / ((1 - tape.c) * delta * tape.k - tape.alpha * difference) * moves
        return (wall + tape.c * tape.Ms / tape.a * dL) / (1 - tape.c * tape.alpha * tape.Ms / tape.a * dL)

    def _plain(q):
        return (1 / np.tanh(q) - 1 / q, 1 / q**2 - 1 / np.tanh(q) ** 2 + 1) if q else (0.0, 1 / 3)

    M, before, result = 0.0, 0.0, []
    for after in field[1:]:  # the sines start at 0, where nothing moves
        delta, span = np.sign(after - before), after - before
        solution = solve_ivp(
            lambda s, m, b=before, h=span, d=delta: h * slope(np.array([b + s * h]), m, d),
            (0.0, 1.0),
            [M],
            rtol=1e-9,
            atol=1e-11,
        )
        M, before = float(solution.y[0, -1]), after
        result.append(M)
    return np.array([0.0, *result])


def test_solver_agrees_with_scipy_on_two_tones():
    time = np.arange(700) / 705_600
    field = 0.7 * np.sin(2 * np.pi * 3000 * time) + 0.3 * np.sin(2 * np.pi * 11_000 * time)
    computed, _ = magnetise(field, DEMAGNETISED, TAPE)
    expected = reference_magnetisation(field, TAPE)
    assert np.sum((computed - expected) ** 2) / np.sum(expected**2) < 1e-7


def test_eight_substeps_change_nothing_that_can_be_heard():
    time = np.arange(20_000) / 705_600
    field = 0.6 * np.sin(2 * np.pi * 1000 * time) + 0.4 * np.sin(2 * np.pi * 7130 * time)
    fine = np.interp(
        np.arange(1, 8 * field.size + 1) / 8, np.arange(field.size + 1), np.concatenate([[0.0], field])
    )
    one, _ = magnetise(field, DEMAGNETISED, TAPE)
    eight = magnetise(fine, DEMAGNETISED, TAPE)[0][7::8]
    assert np.sum((one - eight) ** 2) / np.sum(eight**2) < 1e-7


def test_loop_closes_and_encloses_an_area_that_grows_with_its_width():
    period = 800
    field = np.sin(2 * np.pi * np.arange(6 * period) / period)
    areas = []
    for width in (0.2, 0.5, 0.8):
        magnetisation, _ = magnetise(field, DEMAGNETISED, parameters(0.75, 0.5, width))
        fifth, sixth = magnetisation[-2 * period : -period], magnetisation[-period:]
        np.testing.assert_allclose(sixth, fifth, atol=1e-6)
        # dissipated energy per period, the integral of M dH, is positive: the loop lags
        areas.append(-np.sum(sixth * np.gradient(field[-period:])))
    assert areas[0] > 0.05
    assert areas[0] < areas[1] < areas[2]


def test_remanence_stays_when_the_field_is_gone_and_saturation_is_never_passed():
    field = np.concatenate([np.linspace(0, 50.0, 5000), np.linspace(50.0, 0.0, 5000), np.zeros(10)])
    magnetisation, state = magnetise(field, DEMAGNETISED, TAPE)
    assert magnetisation.max() < TAPE.Ms
    assert magnetisation.max() > 0.98 * TAPE.Ms
    assert state.M == magnetisation[-1] > 0.1 * TAPE.Ms
    assert np.all(magnetisation[-10:] == magnetisation[-1])


def test_small_signals_see_the_initial_susceptibility():
    field = 1e-5 * np.sin(2 * np.pi * np.arange(2000) / 500)
    magnetisation, _ = magnetise(field, DEMAGNETISED, TAPE)
    gain = np.dot(magnetisation, field) / np.dot(field, field)
    assert gain == pytest.approx(initial_susceptibility(TAPE), rel=1e-4)


def test_state_carries_over_block_boundaries():
    field = np.random.default_rng(0).normal(0, 0.4, 5000)
    whole, end = magnetise(field, DEMAGNETISED, TAPE)
    state, parts = DEMAGNETISED, []
    for block in np.split(field, [1, 8, 341, 341, 4000]):
        part, state = magnetise(block, state, TAPE)
        parts.append(part)
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert state == end == Magnetic(field[-1], whole[-1])
