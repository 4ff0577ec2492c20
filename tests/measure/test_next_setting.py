"""What to record next: models whose output is known, and rankings that can be done by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from measure.made_up import gain_model

from tapezoo.measure import next_setting
from tapezoo.measure.next_setting import (
    MAX_MIDPOINTS,
    Candidate,
    compare_scores,
    find_midpoints,
    find_neighbours,
    rank_by_ensemble,
    rank_by_neighbours,
)
from tapezoo.measure.setting_scores import RowScore, score_by_setting

NOISE = np.random.default_rng(0).standard_normal((2, 300)).astype(np.float32)
GRID = set(itertools.product((0.0, 0.5, 1.0), repeat=2))


# ---- candidates


def test_midpoints_lie_between_neighbouring_values_of_every_control() -> None:
    assert find_midpoints({(0.0,), (0.5,), (1.0,)}) == [(0.25,), (0.75,)]
    assert find_midpoints(GRID) == list(itertools.product((0.25, 0.75), repeat=2))
    # a control that stands still stays where it is
    assert find_midpoints({(0.0, 0.25), (1.0, 0.25)}) == [(0.5, 0.25)]
    assert find_midpoints({(0.5, 0.5)}) == []


def test_a_midpoint_that_is_trained_is_no_candidate() -> None:
    assert find_midpoints(GRID | {(0.25, 0.25)}) != []
    assert (0.375, 0.375) in find_midpoints(GRID | {(0.25, 0.25)})
    diagonal = {(0.0, 0.0), (1.0, 1.0), (0.5, 0.5)}
    assert set(find_midpoints(diagonal)) == set(itertools.product((0.25, 0.75), repeat=2))
    assert find_midpoints({(0.0, 0.0), (1.0, 0.0), (0.5, 0.0)}) == [(0.25, 0.0), (0.75, 0.0)]


def test_nothing_is_proposed_between_machines_or_for_idle_knobs() -> None:
    trained = {(0.0, 0.0, None), (0.0, 1.0, None), (1.0, None, 0.0), (1.0, None, 0.5), (1.0, None, 1.0)}
    assert find_midpoints(trained, switches=[0]) == [(0.0, 0.5, None), (1.0, None, 0.25), (1.0, None, 0.75)]


def test_the_number_of_midpoints_is_bounded_and_the_widest_gaps_are_kept() -> None:
    values = np.concatenate([np.linspace(0, 0.1, 101), [0.6, 1.0]])
    found = find_midpoints({(float(np.float32(at)),) for at in values})
    assert len(found) == MAX_MIDPOINTS
    assert found[-1] == (pytest.approx(0.8),)
    assert found[-2] == (pytest.approx(0.35),)
    # 19 ** 4 points: drawn, the same ones again
    fine = {tuple(row) for row in np.random.default_rng(0).random((20, 4)).astype(np.float32).tolist()}
    assert len(find_midpoints(fine)) == MAX_MIDPOINTS
    assert find_midpoints(fine) == find_midpoints(fine)


def test_the_nearest_of_many_settings_is_that_of_the_distances_one_by_one() -> None:
    random = np.random.default_rng(0)
    drawn = [tuple(row) for row in random.integers(0, 4, (200, 3)).tolist()]
    settings = [tuple(None if at == 3 else at / 3 for at in row) for row in drawn]
    for setting in settings[:50]:
        others = [other for other in settings if other != setting][:20]
        expected = min(next_setting._distance(setting, other) for other in others)
        assert next_setting._nearest(setting, next_setting._as_array(others)) == expected


def test_neighbours_are_the_nearest_on_both_sides_of_every_control() -> None:
    left_out = GRID - {(0.5, 0.5)}
    assert set(find_neighbours((0.5, 0.5), left_out)) == {(0.0, 0.5), (1.0, 0.5), (0.5, 0.0), (0.5, 1.0)}
    line = {(0.0,), (0.1,), (0.2,), (1.0,)}
    assert set(find_neighbours((0.3,), line)) == {
        (0.2,),
        (1.0,),
    }  # not the two nearest, which lie on one side
    assert set(find_neighbours((1.0,), line - {(1.0,)})) == {(0.1,), (0.2,)}  # outside: the two nearest
    assert find_neighbours((0.0, None, 0.5), {(0.0, 0.5, None), (0.0, None, 0.0), (0.0, None, 1.0)}) == [
        (0.0, None, 0.0),
        (0.0, None, 1.0),
    ]


# ---- scores


def test_the_ensemble_is_listened_to_where_its_members_differ() -> None:
    members = [gain_model([slope], power=2.0) for slope in (0.0, 1.0, 2.0)]
    settings = [(0.0,), (0.25,), (1.0,), (0.5,)]
    ranked = rank_by_ensemble(members, settings, NOISE)
    assert [one.setting for one in ranked] == [(1.0,), (0.5,), (0.25,), (0.0,)]
    for one in ranked:
        (at,) = one.setting
        gains = np.array([1.0, 1.0 + at**2, 1.0 + 2 * at**2])
        assert one.score == pytest.approx(gains.var() / gains.mean() ** 2, rel=1e-4, abs=1e-12)


def test_one_model_is_listened_to_where_its_sound_changes_most() -> None:
    # the gain rises with the cube of the control: gaps of one size, the last of which changes most
    model = gain_model([3.0], power=3.0)
    trained = {(0.0,), (0.25,), (0.5,), (0.75,), (1.0,)}
    ranked = rank_by_neighbours(model, find_midpoints(trained), trained, NOISE)
    expected = {}
    for low, high in itertools.pairwise(np.linspace(0, 1, 5)):
        gains = 1 + 3 * np.array([low, high]) ** 3
        expected[((low + high) / 2,)] = gains.var() / gains.mean() ** 2
    assert {one.setting: pytest.approx(one.score, rel=1e-4) for one in ranked} == expected
    assert ranked[0].setting == (0.875,)
    assert [one.score for one in ranked] == sorted((one.score for one in ranked), reverse=True)


def test_without_two_settings_there_is_nothing_to_compare_and_it_ranks_last() -> None:
    (one,) = rank_by_neighbours(gain_model([1.0]), [(0.5,)], {(0.0,)}, NOISE)
    assert math.isnan(one.score)
    model = gain_model([1.0, 1.0])
    trained = {(0.0, None), (1.0, None), (None, 0.5)}
    ranked = rank_by_neighbours(model, [(None, 0.2), (0.5, None)], trained, NOISE)
    assert [one.setting for one in ranked] == [(0.5, None), (None, 0.2)]
    assert math.isnan(ranked[1].score)


# ---- how good the forecast was


def seen(scores: list[float], errors: list[float]):
    candidates = [Candidate((float(number),), score) for number, score in enumerate(scores)]
    measured = {(float(number),): error for number, error in enumerate(errors)}
    # midpoints, for which nothing was measured, play no part
    return compare_scores([*candidates, Candidate((99.0,), 1e9)], measured)


def test_the_rank_correlation_is_spearmans() -> None:
    scores, errors = [0.1, 0.5, 0.3, 0.9, 0.2], [0.01, 0.3, 0.4, 0.2, 0.02]
    # without ties: 1 - 6 sum d^2 / (n (n^2 - 1)); ranks 1 4 3 5 2 and 1 4 5 3 2
    assert seen(scores, errors).rank_correlation == pytest.approx(1 - 6 * (0 + 0 + 4 + 4 + 0) / (5 * 24))
    assert seen(scores, scores).rank_correlation == pytest.approx(1)
    assert seen(scores, [-error for error in scores]).rank_correlation == pytest.approx(-1)
    assert seen(scores, errors).settings == 5


def test_a_hit_is_a_highest_score_among_the_worst_third() -> None:
    assert seen([1, 2, 3, 9, 5, 6], [1, 2, 3, 5, 4, 6]).hit is True  # second worst of six
    assert seen([1, 2, 3, 9, 5, 6], [1, 2, 3, 4, 5, 6]).hit is False  # third
    assert seen([1, 2, 3, 9], [1, 2, 4, 3]).hit is True  # a third of four is two, rounded up


@pytest.mark.parametrize(
    ("scores", "errors"),
    [
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]),
        ([1.0, 1.0, 1.0, 1.0], [1.0, 2.0, 3.0, 4.0]),
        ([1.0, 2.0, 3.0, 4.0], [1.0, 1.0, 1.0, 1.0]),
        ([1.0, 2.0, 3.0, math.nan], [1.0, 2.0, 3.0, 4.0]),
        ([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, math.nan]),
    ],
)
def test_too_little_is_no_evidence(scores: list[float], errors: list[float]) -> None:
    assert (seen(scores, errors).rank_correlation, seen(scores, errors).hit) == (None, None)


def test_settings_with_idle_controls_are_told_apart_and_ordered() -> None:
    rows = [
        RowScore(setting, 1.0, 2.0, 0.5, 100)
        for setting in ((0.0, 0.5, None), (1.0, None, 0.2), (0.0, 0.1, None), (1.0, None, 0.2))
    ]
    settings = {row.setting for row in rows}
    scored = score_by_setting(rows, settings, settings, 100)
    assert [one.setting for one in scored] == [(0.0, 0.1, None), (0.0, 0.5, None), (1.0, None, 0.2)]
    assert scored[2].score.rows == 2
