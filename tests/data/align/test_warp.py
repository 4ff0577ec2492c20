"""Reading along a trajectory, against signals that can be computed at any time."""

from __future__ import annotations

import numpy as np
import pytest

from tapezoo.data.align import warp as module
from tapezoo.data.align.trajectory import DelayTrajectory
from tapezoo.data.align.warp import warp, warp_block

RATE = 44100


def wobble(seconds: float, delay: float) -> DelayTrajectory:
    times = np.arange(0, seconds, 1 / 200)
    values = delay + 6 * np.sin(2 * np.pi * 2.7 * times)
    return DelayTrajectory(times, values, np.ones(len(times)), RATE)


def test_a_tone_is_read_where_the_trajectory_says() -> None:
    time = np.arange(RATE)
    dry = np.sin(2 * np.pi * 7000 / RATE * time)
    trajectory = wobble(1.0, 300.4)
    expected = np.sin(2 * np.pi * 7000 / RATE * (time - trajectory.at(0, RATE)))
    error = (warp(dry, trajectory, RATE) - expected)[400:]
    assert np.sqrt(np.mean(error**2)) < 1e-4 * np.sqrt(0.5)


@pytest.mark.parametrize("delay", [-5000.25, 0.0, 12_000.75])
def test_block_by_block_is_the_whole(delay: float, monkeypatch: pytest.MonkeyPatch) -> None:
    dry = np.random.default_rng(0).standard_normal(30_000).astype(np.float32)
    trajectory = wobble(1.0, delay)
    whole = warp(dry, trajectory, 40_000)
    monkeypatch.setattr(module, "BLOCK_SAMPLES", 777)
    np.testing.assert_allclose(warp(dry, trajectory, 40_000), whole, atol=1e-6)
    np.testing.assert_allclose(warp_block(dry, trajectory, 500, 900), whole[500:900], atol=1e-6)
    assert np.any(whole)


def test_outside_of_dry_there_is_silence() -> None:
    trajectory = wobble(1.0, 9000.0)
    warped = warp(np.ones(100), trajectory, 30_000)
    assert not warped[:8000].any()
    assert not warped[10_000:].any()
    assert warped[9050] == pytest.approx(1, abs=1e-3)
