"""Hum that somebody could hear is found, less is none."""

import numpy as np
import pytest

from tapezoo.data.least_squares import LinearFilter
from tapezoo.recordings.hum import find_hum

RATE_HZ = 8000


@pytest.mark.parametrize(("level_dbfs", "mains_hz"), [(-60.0, 50), (-115.0, 50), (-131.0, None)])
def test_hum_in_silence_is_found_from_where_it_is_heard(level_dbfs, mains_hz):
    time_s = np.arange(3 * RATE_HZ) / RATE_HZ
    peak = 10 ** (level_dbfs / 20)  # of two lines alike: the sum of their mean squares
    wet = peak * (np.sin(2 * np.pi * 50 * time_s) + np.sin(2 * np.pi * 150 * time_s))
    wet += 1e-3 * peak * np.random.default_rng(0).standard_normal(len(wet))
    found = find_hum(
        np.zeros(len(wet), np.float32), wet.astype(np.float32), LinearFilter(np.zeros(1)), RATE_HZ
    )
    if mains_hz is None:
        assert found is None
    else:
        assert (found.mains_hz, found.lines_hz) == (mains_hz, (50, 150))
        assert 10 * np.log10(found.power) == pytest.approx(level_dbfs, abs=0.3)
