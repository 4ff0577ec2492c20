"""Refining puts points where a grid is furthest off, and stops where it was told to."""

import math

import numpy as np
import pytest

from tapezoo.bundle.grid.index import GridAxis
from tapezoo.controls import Control
from tapezoo.export.grid.refine import measure_cells, refine_axes

CONTROLS = {"a": Control("a", 0.0, 10.0, 5.0), "b": Control("b", 1.0, 100.0, 10.0, "Hz", "log")}
A = GridAxis("a", (0.0, 1.0), (0.0, 10.0))
B = GridAxis("b", (0.0, 1.0), (1.0, 100.0))


def interpolation_errors(function):
    """The error of multilinear interpolation of a known function: what a grid of `function` would measure."""

    def errors(axes, places):
        found = []
        for place in places:
            value = 0.0
            sides = []
            for axis, position in zip(axes, place, strict=True):
                step = min(
                    np.searchsorted(axis.positions, position, side="right") - 1, len(axis.positions) - 2
                )
                low, high = axis.positions[step : step + 2]
                share = (position - low) / (high - low)
                sides.append([(low, 1 - share), (high, share)])
            corners = [()]
            for side in sides:
                corners = [(*corner, choice) for corner in corners for choice in side]
            for corner in corners:
                weight = math.prod(share for _, share in corner)
                value += weight * function(*(position for position, _ in corner)) if weight else 0.0
            found.append((value - function(*place)) ** 2)
        return found

    return errors


def quiet(step):
    pass


def test_cells_come_with_the_largest_error_first():
    axes = [GridAxis("a", (0.0, 0.25, 1.0), (0.0, 2.5, 10.0))]
    cells = measure_cells(axes, interpolation_errors(lambda a: a**2))
    assert [cell.index for cell in cells] == [(1,), (0,)]
    assert [cell.middle for cell in cells] == [(0.625,), (0.125,)]
    # a parabola is (h / 2)^2 under its chord in the middle
    assert [cell.esr for cell in cells] == pytest.approx([(0.75 / 2) ** 4, (0.25 / 2) ** 4])


def test_points_go_where_the_function_bends():
    errors = interpolation_errors(math.sqrt)
    axes, cells = refine_axes([A], CONTROLS, errors, 1e-4, 1000, quiet)
    assert cells[0].esr <= 1e-4
    assert max(cell.esr for cell in measure_cells(axes, errors)) == cells[0].esr
    steps = np.diff(axes[0].positions)
    assert steps[0] < steps[-1] / 8
    np.testing.assert_allclose(axes[0].values, np.array(axes[0].positions) * 10)


def test_only_the_axis_that_matters_is_halved_and_in_its_own_curve():
    errors = interpolation_errors(lambda a, b: a + math.exp(3 * b))
    said = []
    axes, cells = refine_axes([A, B], CONTROLS, errors, 1e-2, 1000, said.append)
    assert axes[0] == A
    assert len(axes[1].positions) > 4
    assert cells[0].esr <= 1e-2
    np.testing.assert_allclose(axes[1].values, 100 ** np.array(axes[1].positions))
    assert len(said) == len(axes[1].positions) - 2
    assert "adding b = 10" in said[0]


@pytest.mark.parametrize("limit", [4, 5, 6, 9, 14])
def test_it_stops_before_the_limit_with_the_error_reached(limit):
    errors = interpolation_errors(lambda a, b: math.sin(9 * a) + math.sin(5 * b))
    axes, cells = refine_axes([A, B], CONTROLS, errors, 1e-9, limit, quiet)
    points = math.prod(len(axis.positions) for axis in axes)
    assert points <= limit
    assert points + min(points // len(axis.positions) for axis in axes) > limit
    assert cells[0].esr == max(cell.esr for cell in measure_cells(axes, errors)) > 1e-9


def test_nothing_is_added_to_a_grid_that_holds_already():
    axes, cells = refine_axes([A, B], CONTROLS, interpolation_errors(lambda a, b: a * b), 1e-20, 1000, quiet)
    assert axes == (A, B)
    assert cells[0].esr <= 1e-20


def test_an_error_that_never_falls_ends_at_the_limit():
    axes, _ = refine_axes([A], CONTROLS, lambda axes, places: [math.inf] * len(places), 1e-3, 40, quiet)
    assert len(axes[0].positions) == 40
