"""The published solvers of hysteresis: order of convergence, scipy's stiff integrator, and the physics of a loop."""

import numpy as np
import pytest
from scipy import integrate, optimize

from tapezoo.devices.alpha_transform import alpha_derivative
from tapezoo.devices.hysteresis import hysteresis_states
from tapezoo.devices.jiles_atherton import curvature, langevin, parameters
from tapezoo.devices.solver import Magnetised, constants
from tapezoo.devices.solvers import SOLVERS
from tapezoo.devices.time_steps import rate, rate_and_slope

TAPE = parameters(drive=0.75, saturation=0.5, width=0.5)
STEPPED = ("RK2", "RK4", "NR4", "NR8")


def plain_rate(M, H, dH, tape):
    """The paper's dM/dt written again, with numpy."""
    Q = (H + tape.alpha * M) / tape.a
    L, dL = (1 / np.tanh(Q) - 1 / Q, 1 / Q**2 - 1 / np.sinh(Q) ** 2) if abs(Q) > 1e-3 else (Q / 3, 1 / 3)
    delta, difference = np.sign(dH), tape.Ms * L - M
    wall = (np.sign(difference) == delta) * (1 - tape.c) * difference
    wall /= (1 - tape.c) * delta * tape.k - tape.alpha * difference
    reversible = tape.c * tape.Ms / tape.a * dL
    return dH * (wall + reversible) / (1 - tape.alpha * reversible)


def scipy_magnetisation(field, slope, times_s, turns_s, tape):
    """M at the times, from rest, by scipy's implicit Radau, from one turn of the field to the next."""
    M, values = 0.0, []
    for start, stop in zip([0.0, *turns_s], [*turns_s, times_s[-1]], strict=True):
        inside = times_s[(times_s > start) & (times_s <= stop)]
        found = integrate.solve_ivp(
            lambda t, m: [plain_rate(m[0], field(t), slope(t), tape)],
            (start, stop),
            [M],
            "Radau",
            t_eval=np.unique([*inside, stop]),
            rtol=1e-7,
            atol=1e-10,
        )
        values.append(found.y[0, : len(inside)])
        M = found.y[0, -1]
    return np.concatenate(values)


def sampled(steps, solver, field, slope, stop_s, derivative=None):
    """M at the end of a field of `steps` samples, from rest."""
    times_s = np.arange(1, steps + 1) * stop_s / steps
    start = Magnetised(np.array([field(0.0)]), np.array([slope(0.0)]), np.zeros(1))
    rows = field(times_s)[None]
    if derivative is None:
        return SOLVERS[solver].solve(rows, start, constants([TAPE]), steps / stop_s)[0][0]
    return SOLVERS[solver].integrate(
        rows, derivative(times_s)[None], start, constants([TAPE]), steps / stop_s
    )[0]


def orders(solver, field, slope, stop_s, truth, derivative=None, steps=(8, 16, 32, 64)):
    error = [abs(sampled(count, solver, field, slope, stop_s, derivative)[-1] - truth) for count in steps]
    return np.log2(np.array(error)[:-1] / np.array(error)[1:])


@pytest.mark.parametrize(("solver", "order"), [("RK2", 2), ("RK4", 4), ("NR8", 2)])
def test_order_of_convergence_on_a_field_that_rises_steadily(solver, order):
    # on a straight line the alpha transform is exact, so that only the step's own error is left
    truth = scipy_magnetisation(lambda t: t, lambda t: 1.0, np.array([1.0]), [], TAPE)[-1]
    found = orders(solver, lambda t: t * np.ones_like(t), lambda t: 1.0, 1.0, truth)
    assert found[:2] == pytest.approx(order, abs=0.25)


def test_with_the_true_derivative_of_a_sine_newton_is_of_second_order_and_with_the_alpha_transforms_of_first():
    field, slope = (lambda t: np.sin(t)), (lambda t: np.cos(t))
    truth = scipy_magnetisation(field, slope, np.array([1.5]), [], TAPE)[-1]
    steps = (64, 128, 256, 512)
    assert orders("NR8", field, slope, 1.5, truth, slope, steps) == pytest.approx(2.0, abs=0.1)
    assert orders("NR8", field, slope, 1.5, truth, steps=steps)[-1] == pytest.approx(1.0, abs=0.15)


def sine(time_s):
    return 0.8 * np.sin(time_s)


def slope_of_sine(time_s):
    return 0.8 * np.cos(time_s)


@pytest.fixture(scope="module")
def truth_of_sine():
    times_s = np.linspace(0, 3 * np.pi, 61)[1:]
    return scipy_magnetisation(sine, slope_of_sine, times_s, np.pi * np.array([0.5, 1.5, 2.5]), TAPE)


@pytest.mark.parametrize("solver", STEPPED)
def test_solvers_agree_with_scipys_stiff_integrator_on_a_fine_grid(truth_of_sine, solver):
    # a sine and a half; the alpha transform's error falls with the step
    error = []
    for fine in (100, 400):
        found = sampled(60 * fine, solver, sine, slope_of_sine, 3 * np.pi)[fine - 1 :: fine]
        error.append(np.abs(found - truth_of_sine).max() / np.abs(truth_of_sine).max())
    assert error[1] < 2e-4
    assert error[1] < 0.3 * error[0]


def test_newton_has_converged_after_four_iterations_where_the_field_moves_slowly():
    field = 0.7 * np.sin(2 * np.pi * 440 * np.arange(1000) / 48_000)
    four, eight = (hysteresis_states(field, [[0.75, 0.5, 0.5]], 48_000, name)[0].M for name in ("NR4", "NR8"))
    np.testing.assert_allclose(four, eight, atol=1e-12)


def test_newton_solves_the_trapezoidal_rule():
    field = 0.4 * np.random.default_rng(0).standard_normal(200)
    states, _ = hysteresis_states(field, [[0.75, 0.5, 0.5]], 48_000, "NR8")
    H, dH, M = states.H[0], states.dH[0], states.M[0]
    for n in range(1, 200):
        known = M[n - 1] + 0.5 / 48_000 * plain_rate(M[n - 1], H[n - 1], dH[n - 1], TAPE)
        root = optimize.brentq(
            lambda m, known=known, n=n: m - known - 0.5 / 48_000 * plain_rate(m, H[n], dH[n], TAPE), -20, 20
        )
        assert M[n] == pytest.approx(np.clip(root, -TAPE.Ms, TAPE.Ms), abs=1e-9)


def test_slope_of_the_rate_and_curvature_are_what_differences_say():
    step = 1e-6
    for M, H, dH in (
        (0.3, 0.8, 2.0),
        (-0.4, -0.7, -3.0),
        (0.5, -0.2, -1.0),
        (0.1, 0.05, 1.0),
        (0.9, 0.1, 5.0),
    ):
        value, slope = rate_and_slope(M, H, dH, TAPE)
        assert value == pytest.approx(rate(M, H, dH, TAPE), rel=1e-13)
        assert value == pytest.approx(plain_rate(M, H, dH, TAPE), rel=1e-9)
        difference = (rate(M + step, H, dH, TAPE) - rate(M - step, H, dH, TAPE)) / (2 * step)
        assert slope == pytest.approx(difference, rel=1e-6, abs=1e-8)
    for x in (1e-3, 0.1, 0.29999, 0.30001, -0.7, 3.0, -40.0):
        difference = (langevin(x + step)[1] - langevin(x - step)[1]) / (2 * step)
        assert curvature(x) == pytest.approx(difference, rel=1e-4, abs=1e-9)


def test_alpha_transform_is_exact_on_a_line_and_late_by_a_fourteenth_of_a_sample_elsewhere():
    line = 3.0 * np.arange(1, 20)[None] / 100
    np.testing.assert_allclose(alpha_derivative(line, np.zeros(1), np.full(1, 3.0), 100), 3.0, rtol=1e-12)
    times_s = np.arange(400) / 8000
    found = alpha_derivative(np.sin(1000 * times_s)[None], np.zeros(1), np.zeros(1), 8000)[0]
    late_s = 1 / 14 / 8000
    np.testing.assert_allclose(found[60:], 1000 * np.cos(1000 * (times_s - late_s))[60:], atol=2.0)


@pytest.fixture(scope="module")
def loops():
    """Field and magnetisation of a sine's seventh and eighth period at widths from none to full, all solvers."""
    period = 400
    field = np.sin(2 * np.pi * np.arange(8 * period) / period)
    points = np.array([[0.75, 0.5, 1.0 - width] for width in (0.0, 0.02, 0.2, 0.5, 1.0)])
    return {
        name: (field[-period:], hysteresis_states(field, points, 48_000, name)[0].M[:, -2 * period :])
        for name in STEPPED
    }


@pytest.mark.parametrize("solver", STEPPED)
def test_periodic_field_settles_on_a_closed_loop_whose_area_vanishes_with_its_width(loops, solver):
    field, magnetisation = loops[solver]
    seventh, eighth = np.split(magnetisation, 2, axis=1)
    np.testing.assert_allclose(eighth, seventh, atol=1e-5)
    # dissipated per period, the integral of H dM
    areas = np.array([np.sum(field * np.gradient(loop)) for loop in eighth])
    assert (np.diff(areas) > 0).all()
    assert areas[-1] > 0.8
    # what is left at no width is the constant reversible share of 0.99: a hundredth of the walls
    assert areas[0] < 0.02 * areas[-1]


def test_area_vanishes_with_the_coercivity():
    field = np.sin(2 * np.pi * np.arange(4000) / 1000)[None]
    start = Magnetised(np.zeros(1), np.zeros(1), np.zeros(4))
    tapes = constants([TAPE._replace(k=k) for k in (0.4, 0.2, 0.1, 0.05)])
    magnetisation, _ = SOLVERS["NR8"].solve(field, start, tapes, 48_000)
    areas = np.array([np.sum(field[0, -1000:] * np.gradient(M[-1000:])) for M in magnetisation])
    # of narrow loops the area is proportional to the coercivity
    assert areas[2:] / areas[1:-1] == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("solver", STEPPED)
def test_decaying_field_around_an_offset_ends_on_the_anhysteretic_curve(solver):
    period, point = 100, [[0.75, 0.5, 0.5]]
    samples = np.arange(300 * period)
    decay = np.clip(1.0 - samples / (0.95 * samples.size), 0.0, 1.0) * np.cos(2 * np.pi * samples / period)
    for offset in (-0.15, 0.05, 0.3):

        def above_the_curve(M, H=offset):
            Q = (H + TAPE.alpha * M) / TAPE.a
            return M - TAPE.Ms * (1 / np.tanh(Q) - 1 / Q)

        anhysteretic = optimize.brentq(above_the_curve, -TAPE.Ms, TAPE.Ms)
        _, decayed = hysteresis_states(offset + 3.0 * decay, point, 48_000, solver)
        _, simply_set = hysteresis_states(np.linspace(0, offset, 200), point, 48_000, solver)
        assert decayed.M[0] == pytest.approx(anhysteretic, abs=0.001)
        assert abs(simply_set.M[0] - anhysteretic) > 0.02


@pytest.mark.parametrize("solver", STEPPED)
def test_strong_field_saturates(solver):
    points = np.array([[0.75, saturation, 0.5] for saturation in (0.0, 0.5, 1.0)])
    _, end = hysteresis_states(np.linspace(0, 60.0, 4000), points, 48_000, solver)
    assert pytest.approx([2.0, 1.25, 0.5], rel=0.02) == end.M
    assert (end.M < [2.0, 1.25, 0.5]).all()
