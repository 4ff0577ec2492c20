"""The figure against what it is by definition."""

import pytest
import torch
from tapezoo_peak_error import PeakError


def test_it_is_the_largest_error_of_all_pieces():
    metric = PeakError()
    for error in (0.001, 0.1, 0.01):
        output = torch.zeros(1, 100)
        output[0, 50] = -error
        metric.update(output, torch.zeros(1, 100))
    assert float(metric.compute()) == pytest.approx(-20)


def test_without_a_sample_there_is_no_figure():
    metric = PeakError()
    metric.update(torch.zeros(1, 0), torch.zeros(1, 0))
    assert metric.compute().isnan()
