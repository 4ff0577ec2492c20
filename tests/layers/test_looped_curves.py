"""Curves through a few points per second, read as a loop."""

import numpy as np
import pytest
import torch
from scipy.interpolate import CubicSpline

from tapezoo.layers.looped_curves import LoopedCurves, spline_coefficients

POINTS = torch.randn(2, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("block", [1, 50, 300])
def test_it_is_the_periodic_cubic_spline_through_the_points_in_any_blocks(block):
    curves, parts = LoopedCurves(POINTS, 20), []
    place = curves.rest.expand(1)
    for _ in range(300 // block):
        part, place = curves(place, block)
        parts.append(part[0])
    closed = torch.cat([POINTS, POINTS[:, :1]], dim=1).numpy()
    spline = CubicSpline(np.arange(13), closed, axis=1, bc_type="periodic")
    expected = spline(np.arange(300) / 20 % 12).T
    np.testing.assert_allclose(torch.cat(parts).numpy(), expected, atol=1e-12)
    assert int(place) == 300 - 240


def test_flutter_of_16_hz_loses_nothing_at_100_points_per_second():
    turn = 2 * torch.pi * 16 * torch.arange(100, dtype=torch.float64) / 100
    curves = LoopedCurves(torch.sin(turn)[None], 441)
    values, _ = curves(torch.tensor([0]), 44100)
    wanted = torch.sin(2 * torch.pi * 16 * torch.arange(44100, dtype=torch.float64) / 44100)
    found = float(values[0, :, 0] @ wanted) / float(wanted @ wanted)
    assert found == pytest.approx(1, abs=0.002)  # linear interpolation: .93


def test_a_spline_is_nowhere_further_from_zero_than_its_coefficients():
    values, _ = LoopedCurves(POINTS, 50)(torch.tensor([0]), 600)
    assert (values[0].abs().amax(0) <= spline_coefficients(POINTS).abs().amax(1)).all()


@pytest.mark.parametrize(
    ("points", "hop"), [(torch.zeros(2, 3), 5), (torch.zeros(8), 5), (torch.zeros(1, 8), 0)]
)
def test_too_few_points_are_refused(points, hop):
    with pytest.raises(ValueError, match="4 or more"):
        LoopedCurves(points, hop)
