"""Blends beside their neighbours, on signals whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from tapezoo.measure.blend_comparison import compare_with_neighbours, measure_ways, play_positions
from tapezoo.measure.blends import (
    TRIPLETS,
    Blend,
    all_positions,
    choose_blends,
    find_neighbours,
    positions_name,
)
from tapezoo.measure.roles import Roles
from tapezoo.net import Net, State

RATE = 16000
TIME_S = np.arange(2 * RATE) / RATE


def tone(frequency_hz: float, peak: float = 0.5) -> np.ndarray:
    return peak * np.sin(2 * np.pi * frequency_hz * TIME_S)


# --- which settings ---


def knobs(count: int) -> Roles:
    return Roles(tuple(f"knob{number}" for number in range(count)))


THREE = Roles(("a", "b", "c"), (0, 1, 2))
# recipes/hybrid/knobs.yaml
KNOBS = Roles(("comp", "tape", "pre", "comp_threshold", "tape_drive", "pre_gain"), (0, 1, 2))


def test_one_knob_has_quarters_and_three_effects_the_papers_triplets() -> None:
    assert [blend.positions for blend in choose_blends(knobs(1))] == [(0.25,), (0.5,), (0.75,)]
    assert choose_blends(knobs(1))[0].neighbours == ((0.0,), (1.0,))
    assert choose_blends(Roles(("blend",), (0,))) == choose_blends(knobs(1))
    blends = {blend.positions: blend.neighbours for blend in choose_blends(THREE)}
    assert list(blends) == list(TRIPLETS)
    effects = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    assert blends[(0.5, 0.25, 0.25)] == effects
    assert blends[(1.0, 1.0, 1.0)] == effects
    assert blends[(0.0, 0.0, 0.0)] == ()
    assert find_neighbours((0.0, 0.4, 0.6), THREE) == effects[1:]


def test_knobs_have_their_centre_and_corners_and_what_is_asked_for_once() -> None:
    assert [blend.positions for blend in choose_blends(knobs(2), [(0.2, 0.9), (0.5, 0.5)])] == [
        *((0.5, 0.5), (0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)),
        (0.2, 0.9),
    ]
    assert set(find_neighbours((0.2, 1.0), knobs(2))) == {(0.0, 1.0), (1.0, 1.0)}
    assert len(find_neighbours((0.5, 0.5), knobs(2))) == 4
    assert (
        find_neighbours((0.0, 1.0), knobs(2)) == ()
    )  # a corner is its own neighbour: nothing to compare with
    many = choose_blends(knobs(6))
    assert len(many) == 1 + 2 + 6
    assert len(many[0].neighbours) == 12
    assert all(sum(a != b for a, b in zip(one, (0.5,) * 6, strict=True)) == 1 for one in many[0].neighbours)


def test_three_knobs_of_one_machine_are_no_three_effects() -> None:
    blends = {blend.positions: blend.neighbours for blend in choose_blends(knobs(3))}
    assert next(iter(blends)) == (0.5, 0.5, 0.5)
    assert len(blends) == 1 + 8
    assert len(blends[(0.5, 0.5, 0.5)]) == 8  # the corners, not "effects alone"


def test_machines_are_mixed_with_their_knobs_in_the_middle_and_knobs_are_turned_at_their_own_machine() -> (
    None
):
    blends = {blend.positions: blend.neighbours for blend in choose_blends(KNOBS)}
    middle = (0.5, 0.5, 0.5)
    assert [setting[:3] for setting in blends] == [*TRIPLETS, *KNOBS.machines()]
    assert {setting[3:] for setting in blends} == {middle}
    assert blends[(0.5, 0.25, 0.25, *middle)] == tuple((*one, *middle) for one in KNOBS.machines())
    tape = (0.0, 1.0, 0.0)
    assert set(blends[(*tape, *middle)]) == {(*tape, 0.5, 0.0, 0.5), (*tape, 0.5, 1.0, 0.5)}
    two = Roles(
        ("blend", "a_gain", "b_tone"), (0,)
    )  # whose knob is whose cannot be told: all are turned at both
    assert len(find_neighbours((0.0, 0.5, 0.5), two)) == 4
    assert find_neighbours((0.5, 0.5, 0.5), two) == ((0.0, 0.5, 0.5), (1.0, 0.5, 0.5))
    four = choose_blends(Roles(("a", "b", "c", "d"), (0, 1, 2, 3)))
    assert len(four) == 5
    assert all(len(blend.neighbours) == 4 for blend in four)


def test_names_are_good_for_files() -> None:
    assert positions_name((0.5, 0.25, 1.0)) == "0.5-0.25-1"
    assert positions_name((0.3001, 0.0)) == "0.3001-0"  # beside 0.3, its sound is not overwritten


# --- comparisons ---


@pytest.mark.parametrize(
    ("peak", "outside_db", "between"),
    [(0.3, 0.0, True), (0.41, 0.21, True), (0.8, 6.02, False), (0.1, 6.02, False)],
)
def test_a_blend_is_expected_between_its_neighbours(peak: float, outside_db: float, between: bool) -> None:
    said = compare_with_neighbours(tone(1000, peak), [tone(1000, 0.2), tone(1000, 0.4)], RATE)
    assert said.loudness_outside_db == pytest.approx(outside_db, abs=0.01)
    assert said.is_between is between
    assert said.loudest - said.quietest == pytest.approx(6.02, abs=0.01)
    assert said.unit == "LUFS"
    assert compare_with_neighbours(tone(1000)[:6399], [tone(1000)[:6399]], RATE).unit == "dB"  # under 0.4 s


@pytest.mark.parametrize(("stray_db", "clean"), [(-70.0, True), (-50.0, False)])
def test_energy_where_no_neighbour_has_any_is_found(stray_db: float, clean: bool) -> None:
    first, second = tone(1050), tone(1050) + tone(3050, 0.05)
    stray = tone(5450, 0.5 * 10 ** (stray_db / 20))
    said = compare_with_neighbours(second + stray, [first, second], RATE)
    whole_db = 10 * np.log10(1 + 0.1**2)
    assert said.stray_db == pytest.approx(stray_db - whole_db, abs=0.05)
    assert said.stray_hz == 5450
    assert said.is_clean is clean
    assert said.stray_over_neighbours_db > 30
    # 3050 Hz is one neighbour's, although not the other's
    assert compare_with_neighbours(second, [first, second], RATE).stray_db < -100
    assert said.empty_bands == 81 - 2  # half the rate itself is the 81st


def test_what_is_not_finite_is_said_and_nothing_else_is_claimed() -> None:
    broken = np.where(TIME_S == 1.0, np.inf, tone(1000))
    said = compare_with_neighbours(broken, [tone(1000)], RATE)
    assert (said.finite, said.loudness, said.is_between, said.is_clean) == (False, None, None, None)
    said = compare_with_neighbours(tone(1000), [broken], RATE)  # nothing is left to compare with
    assert (said.finite, said.is_between, said.is_clean) == (True, None, None)
    noise = np.random.default_rng(0).standard_normal(2 * RATE)
    said = compare_with_neighbours(noise, [noise], RATE)  # energy everywhere
    assert (said.empty_bands, said.stray_db, said.is_clean, said.is_between) == (0, None, None, True)


class Zipper(Net):
    """A gain that jumps with its second control, and is smooth in its first."""

    def __init__(self) -> None:
        super().__init__(2, 1, smoothing_samples=64)

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        path, knobs = self.smoothed(controls, state, input.shape[2])
        steps = torch.round(10 * path[:, 1:]) / 10
        return (0.3 + 0.3 * path[:, :1] + steps) * input, knobs


def test_the_least_smooth_way_to_a_blend_is_kept() -> None:
    blend = Blend((0.5, 0.5), ((0.0, 0.5), (0.5, 0.0), (1.0, 0.5)))
    way = measure_ways(Zipper(), RATE, [blend, Blend((0.0, 0.0), ())])
    assert list(way) == [(0.5, 0.5)]
    assert way[(0.5, 0.5)].start == (0.5, 0.0)
    assert not way[(0.5, 0.5)].is_smooth
    smooth = measure_ways(Zipper(), RATE, [Blend((0.5, 0.5), ((0.0, 0.5), (1.0, 0.5)))])
    assert smooth[(0.5, 0.5)].is_smooth
    assert measure_ways(Zipper(), RATE, [Blend((0.0, 0.0), ())]) == {}


def test_every_setting_is_played_once() -> None:
    blends = choose_blends(knobs(2))[:1]
    settings = all_positions(blends)
    assert len(settings) == len(set(settings)) == 5
    outputs = play_positions(Zipper(), RATE, settings, tone(1000))
    for (first, second), output in outputs.items():
        np.testing.assert_allclose(
            output, (0.3 + 0.3 * first + round(10 * second) / 10) * tone(1000), atol=1e-6
        )
