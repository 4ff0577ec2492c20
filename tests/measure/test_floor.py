"""The linear floor of data with control settings."""

from __future__ import annotations

import numpy as np
import pytest

from tapezoo.data.module import Row
from tapezoo.measure.floor import fit_floor


def row(gain: float, position: float, seed: int) -> Row:
    input = np.random.default_rng(seed).standard_normal(4000).astype(np.float32)
    target = (gain * input + 0.1 * np.random.default_rng(seed + 99).standard_normal(4000)).astype(np.float32)
    return Row("row", input, target, np.array([position], dtype=np.float32), (position,))


def test_two_linear_machines_are_each_met_by_their_own_filter() -> None:
    train = [row(1.0, 0.0, 1), row(-0.5, 1.0, 2)]
    floor = fit_floor(train)
    # what is left is the noise: 0.01 over 1.01 and 0.26, raised by 257 coefficients fitted to 4000 samples
    assert floor.esr([row(1.0, 0.0, 3)], 300) == pytest.approx(0.01 / 1.01, rel=0.2)
    both = floor.esr([row(1.0, 0.0, 3), row(-0.5, 1.0, 4)], 300)
    assert both == pytest.approx(0.02 / (1.01 + 0.26), rel=0.2)


def test_a_setting_that_was_not_trained_is_met_by_the_filter_of_all() -> None:
    floor = fit_floor([row(1.0, 0.0, 1), row(0.5, 1.0, 2)])
    # the best filter of both is a gain of 0.75; a setting between them has it
    assert floor.esr([row(0.75, 0.5, 3)], 300) == pytest.approx(0.01 / (0.5625 + 0.01), rel=0.3)


def test_silent_targets_have_no_floor() -> None:
    silent = Row("row", *(np.zeros(1000, dtype=np.float32),) * 2, np.zeros(0, dtype=np.float32), ())
    assert np.isnan(fit_floor([row(1.0, 0.0, 1)]).esr([silent], 0))
