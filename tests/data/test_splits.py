"""Where splits are cut."""

from __future__ import annotations

import numpy as np

from tapezoo.data.splits import shift_regions, split_by_time

from .signals import RATE


def test_boundaries_move_into_the_nearest_silence() -> None:
    dry = np.random.default_rng(0).standard_normal(10 * RATE).astype(np.float32)
    dry[int(8.2 * RATE) : int(8.3 * RATE)] = 0  # 0.2 s after the nominal boundary at 8 s
    dry[int(7.7 * RATE) : int(7.75 * RATE)] = 0  # farther away
    regions = split_by_time(dry, RATE)
    assert 8.2 * RATE < regions["train"][1] < 8.3 * RATE
    assert regions["val"] == (regions["train"][1], 9 * RATE)  # no silence near 9 s
    assert regions["test"] == (9 * RATE, 10 * RATE)


def test_shares_are_80_10_10_and_nothing_overlaps_or_is_lost() -> None:
    dry = np.random.default_rng(0).standard_normal(100_000).astype(np.float32)
    assert split_by_time(dry, RATE) == {
        "train": (0, 80_000),
        "val": (80_000, 90_000),
        "test": (90_000, 100_000),
    }


def test_shares_are_of_what_sounds_so_that_no_split_is_silence() -> None:
    dry = np.zeros(20 * RATE, dtype=np.float32)
    dry[5 * RATE : 15 * RATE] = np.random.default_rng(0).standard_normal(10 * RATE)
    assert split_by_time(dry, RATE) == {
        "train": (0, 13 * RATE),
        "val": (13 * RATE, 14 * RATE),
        "test": (14 * RATE, 20 * RATE),
    }


def test_both_boundaries_in_one_silence_would_leave_validation_empty_handed() -> None:
    dry = np.random.default_rng(0).standard_normal(10 * RATE).astype(np.float32)
    dry[int(8.25 * RATE) : int(8.75 * RATE)] = 0
    regions = split_by_time(dry, RATE)
    assert regions["val"] == (8 * RATE, 9 * RATE)


def test_trimming_moves_the_boundaries_with_the_audio() -> None:
    regions = shift_regions({"train": (0, 80), "val": (80, 90), "test": (90, 100)}, 5, 92)
    assert regions == {"train": (0, 75), "val": (75, 85), "test": (85, 92)}


def test_a_region_that_trimming_takes_whole_disappears() -> None:
    assert shift_regions({"train": (0, 80), "test": (90, 100)}, 0, 85) == {"train": (0, 80)}
