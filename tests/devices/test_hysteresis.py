"""The device `hysteresis`: ground truth of state transition networks, alone and at many settings at once."""

import numpy as np
import pytest

from tapezoo.controls import ControlError
from tapezoo.devices import DeviceError, device
from tapezoo.devices.hysteresis import Hysteresis, hysteresis_states, tape_at
from tapezoo.devices.solvers import SOLVERS

RATE = 48_000
CORNERS = np.array([[d, s, b] for d in (0.0, 1.0) for s in (0.0, 1.0) for b in (0.0, 1.0)])


def noise(samples, level=0.4, seed=0):
    return level * np.random.default_rng(seed).standard_normal(samples)


def test_device_is_the_magnetisation_at_its_settings():
    dry = noise(500).astype(np.float32)
    wet = device("hysteresis").render(dry, RATE, {"drive": 0.7, "saturation": 0.2, "bias": 0.9}, 0)
    states, _ = hysteresis_states(dry, np.array([[0.7, 0.2, 0.9]]), RATE)
    np.testing.assert_array_equal(wet, states.M[0].astype(np.float32))


@pytest.mark.parametrize("solver", SOLVERS)
def test_many_points_at_once_are_each_point_alone_to_the_bit(solver):
    points = np.random.default_rng(1).uniform(size=(5, 3))
    fields = noise((5, 300))
    shared, _ = hysteresis_states(fields[0], points, RATE, solver)
    own, _ = hysteresis_states(fields, points, RATE, solver)
    for row, point in enumerate(points):
        alone, _ = hysteresis_states(fields[row], point[None], RATE, solver)
        np.testing.assert_array_equal(own.M[row], alone.M[0])
        np.testing.assert_array_equal(own.dH[row], alone.dH[0])
        np.testing.assert_array_equal(
            shared.M[row], hysteresis_states(fields[0], point[None], RATE, solver)[0].M[0]
        )


@pytest.mark.parametrize("solver", SOLVERS)
def test_blocks_of_any_length_are_one_pass_to_the_bit(solver):
    field = noise(700)
    whole, end = hysteresis_states(field, CORNERS[:3], RATE, solver)
    parts, state = [], None
    for block in np.split(field, [1, 8, 8, 341]):
        part, state = hysteresis_states(block, CORNERS[:3], RATE, solver, state)
        parts.append(part)
    for name in ("H", "dH", "M"):
        joined = np.concatenate([getattr(part, name) for part in parts], axis=1)
        np.testing.assert_array_equal(joined, getattr(whole, name))
    for name in ("H", "dH", "M"):
        np.testing.assert_array_equal(getattr(state, name), getattr(end, name))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("level", [1e-30, 1.0, 300.0, 1e30])
def test_magnetisation_stays_finite_and_within_saturation_at_every_corner(solver, level):
    states, _ = hysteresis_states(noise(400, level), CORNERS, RATE, solver)
    most = np.array([tape_at(*point).Ms for point in CORNERS])
    assert np.isfinite(states.M).all()
    assert (np.abs(states.M).max(1) <= most).all()


@pytest.mark.parametrize("solver", SOLVERS)
def test_silence_stays_silent_and_keeps_what_was_magnetised(solver):
    field = np.concatenate([np.linspace(0, 1, 50), np.linspace(1, 0, 50), np.zeros(4000)])
    states, end = hysteresis_states(field, np.array([[0.5, 0.5, 0.5]]), RATE, solver)
    assert end.dH[0] == 0.0  # no denormals creep on
    assert np.ptp(states.M[0, -100:]) == 0.0
    assert end.M[0] > 0.05
    assert not hysteresis_states(np.zeros(10), CORNERS, RATE, solver)[0].M.any()


def test_options_and_settings_out_of_range_are_named():
    with pytest.raises(DeviceError, match=r"'solver'.*'NR9'.*field, RK2, RK4, NR4, NR8"):
        Hysteresis(solver="NR9")
    for wrong in (0, 65, 1.5):
        with pytest.raises(DeviceError, match="'oversampling'"):
            Hysteresis(oversampling=wrong)
    for wrong in (-0.1, 1.1, float("nan")):
        with pytest.raises(ControlError, match=r"'saturation'.*found"):
            Hysteresis().render(np.zeros(3, np.float32), RATE, {"saturation": wrong}, 0)
        with pytest.raises(ControlError, match="'bias' of point 1"):
            hysteresis_states(np.zeros(3), np.array([[0.5, 0.5, 0.5], [0.5, 0.5, wrong]]), RATE)


def test_arrays_that_do_not_fit_are_refused():
    points = np.full((3, 3), 0.5)
    _, end = hysteresis_states(np.zeros(4), points, RATE)
    for fault in (
        lambda: hysteresis_states(np.zeros(4), np.full((3, 2), 0.5), RATE),
        lambda: hysteresis_states(np.zeros(4), np.zeros((0, 3)), RATE),
        lambda: hysteresis_states(np.zeros((2, 4)), points, RATE),
        lambda: hysteresis_states(np.array([0.0, np.nan]), points, RATE),
        lambda: hysteresis_states(np.array([0.0, 1e200]), points, RATE),
        lambda: hysteresis_states(np.zeros((3, 4)), points, RATE, start=end),
        lambda: hysteresis_states(np.zeros(4), points, RATE, start=end._replace(M=np.full(3, np.inf))),
    ):
        with pytest.raises(DeviceError, match="'hysteresis'"):
            fault()


def test_oversampling_is_aligned_and_nearer_to_the_equation():
    time = np.arange(2000) / RATE
    dry = (0.5 * np.sin(2 * np.pi * 700 * time) + 0.2 * np.sin(2 * np.pi * 5100 * time)).astype(np.float32)
    truth = Hysteresis(solver="field", oversampling=32).render(dry, RATE, {}, 0)

    def error(oversampling):
        wet = Hysteresis(oversampling=oversampling).render(dry, RATE, {}, 0)
        return np.sum((wet - truth)[200:] ** 2) / np.sum(truth[200:] ** 2)

    assert error(8) < 0.1 * error(1)
