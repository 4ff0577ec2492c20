"""Which settings are held out, and what they are called."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tapezoo.controls import Control
from tapezoo.data.errors import DataError
from tapezoo.data.settings import (
    HoldOut,
    check_trainable,
    draw_held_out,
    kind_of,
    setting_of,
    setting_text,
    varying_axes,
)

DRIVE, TONE = Control("drive"), Control("tone", 20, 20000, 1000, "Hz", "log")
SWITCH = Control("switch")
GRID = list(itertools.product((0.0, 0.5, 1.0), repeat=2))
LINE = [(0.0,), (0.25,), (0.75,), (1.0,)]


def test_a_setting_is_the_same_from_a_file_and_from_a_tensor() -> None:
    positions = np.random.default_rng(0).random((100, 3))
    for row in positions:
        assert setting_of(row.tolist()) == setting_of(row.astype(np.float32).tolist())


def test_a_setting_is_said_in_the_users_units() -> None:
    assert setting_text([DRIVE, TONE], setting_of([0.3, 1 / 3])) == "drive=0.3, tone=200 Hz"


def test_only_controls_that_move_vary() -> None:
    assert varying_axes([(0.0, 1.0, 0.5), (0.0, 0.0, 0.5)]) == [1]
    assert varying_axes([(0.3, 0.4)]) == []


@pytest.mark.parametrize(
    ("setting", "trained", "recorded", "kind"),
    [
        ((0.5, 0.5), GRID, GRID, "trained"),
        ((0.5, 0.5), [p for p in GRID if p != (0.5, 0.5)], GRID, "interpolation"),
        ((0.0, 0.5), [p for p in GRID if p != (0.0, 0.5)], GRID, "interpolation"),  # within the box still
        ((1.0, 1.0), [p for p in GRID if p != (1.0, 1.0)], GRID, "corner"),
        ((1.0, 0.5), [p for p in GRID if p[0] < 1], GRID, "extrapolation"),
        ((1.0, 0.0), [p for p in GRID if p[0] < 1], GRID, "corner"),  # and outside the box too
        ((1.0,), LINE[:3], LINE, "extrapolation"),  # one control: an end, no corner
        ((0.25,), [LINE[0], *LINE[2:]], LINE, "interpolation"),
        # the second control stands still: as if there were one
        ((1.0, 0.3), [(0.0, 0.3), (0.5, 0.3)], [(0.0, 0.3), (0.5, 0.3), (1.0, 0.3)], "extrapolation"),
        # never recorded at all
        ((0.6, 0.2), GRID, GRID, "interpolation"),
    ],
)
def test_the_kind_of_a_setting_follows_from_where_it_lies(setting, trained, recorded, kind) -> None:
    assert kind_of(setting, trained, recorded) == kind


@pytest.mark.parametrize("seed", range(5))
def test_what_interpolation_draws_lies_inside_what_is_left(seed: int) -> None:
    values = (0.0, 0.2, 0.7, 1.0)
    recorded = list(itertools.product(values, repeat=2))
    held_out = draw_held_out(HoldOut("interpolation", 3, seed), recorded, [DRIVE, TONE])
    left = [setting for setting in recorded if setting not in held_out]
    assert len(held_out) == 3
    assert held_out <= set(itertools.product(values[1:3], repeat=2))
    assert {kind_of(setting, left, recorded) for setting in held_out} == {"interpolation"}


@pytest.mark.parametrize("seed", range(5))
def test_what_corner_draws_are_corners(seed: int) -> None:
    held_out = draw_held_out(HoldOut("corner", 1, seed), GRID, [DRIVE, TONE])
    assert held_out <= set(itertools.product((0.0, 1.0), repeat=2))
    assert [kind_of(one, set(GRID) - held_out, GRID) for one in held_out] == ["corner"]


def test_seeds_draw_differently_and_reproducibly() -> None:
    draws = [draw_held_out(HoldOut("corner", 1, seed), GRID, [DRIVE, TONE]) for seed in range(30)]
    assert len(set(draws)) == 4
    assert draws == [
        draw_held_out(HoldOut("corner", 1, seed), GRID[::-1], [DRIVE, TONE]) for seed in range(30)
    ]


def test_extrapolation_takes_every_setting_at_the_outermost_values() -> None:
    rule = HoldOut("extrapolation", control="tone")
    assert draw_held_out(rule, GRID, [DRIVE, TONE]) == {(0.0, 1.0), (0.5, 1.0), (1.0, 1.0)}
    lowest = HoldOut("extrapolation", control="drive", end="lowest")
    assert draw_held_out(lowest, GRID, [DRIVE, TONE]) == {(0.0, 0.0), (0.0, 0.5), (0.0, 1.0)}
    assert draw_held_out(HoldOut("extrapolation", 2), LINE, [DRIVE]) == {(0.75,), (1.0,)}  # the only control


def test_a_switch_does_not_keep_its_settings_from_being_inside() -> None:
    recorded = [(drive, switch) for drive in (0.0, 0.5, 1.0) for switch in (0.0, 1.0)]
    held_out = draw_held_out(HoldOut("interpolation", 2), recorded, [DRIVE, SWITCH])
    assert held_out == {(0.5, 0.0), (0.5, 1.0)}
    left = set(recorded) - held_out
    assert {kind_of(setting, left, recorded) for setting in held_out} == {"interpolation"}


def test_idle_knobs_are_judged_on_no_axis() -> None:
    # two machines, each with a knob of its own that is idle while the other plays
    tape = [setting_of([0.0, drive, 0.0], [2]) for drive in (0.0, 0.5, 1.0)]
    preamp = [setting_of([1.0, 0.0, gain], [1]) for gain in (0.0, 0.5, 1.0)]
    recorded = tape + preamp
    controls = [SWITCH, DRIVE, Control("gain", 0, 20, 10, "dB")]
    assert setting_text(controls, preamp[2]) == "switch=1, gain=20 dB"
    held_out = draw_held_out(HoldOut("interpolation", 2), recorded, controls)
    assert held_out == {tape[1], preamp[1]}
    assert {kind_of(one, set(recorded) - held_out, recorded) for one in held_out} == {"interpolation"}
    highest = draw_held_out(HoldOut("extrapolation", control="gain"), recorded, controls)
    assert highest == {preamp[2]}
    # the knob's end, and an end of the switch
    assert kind_of(preamp[2], set(recorded) - highest, recorded) == "corner"


@pytest.mark.parametrize(
    ("rule", "recorded", "part"),
    [
        (HoldOut("interpolation"), [(0.0,), (1.0,)], "0 of 2 settings at neither end"),
        (HoldOut("interpolation", 5), [*LINE, (0.5,)], "3 of 5 settings.*at least 5"),
        (HoldOut("corner"), LINE, "0 of 4 settings at an end of every.*two or more controls"),
        (HoldOut("corner", 4), list(itertools.product((0.0, 1.0), repeat=2)), "all 4 settings held out"),
        (HoldOut("corner", 2, 3), list(itertools.product((0.0, 1.0), repeat=2)), "left to train on"),
        (HoldOut("extrapolation", 4), LINE, "all 4 settings held out"),
        (HoldOut("extrapolation", 3), LINE, "drive=0 alone left to train on.*two values of drive"),
        (HoldOut("extrapolation"), GRID, "no control named.*drive, tone"),
        (HoldOut("extrapolation", control="bias"), GRID, "control 'bias'.*drive, tone"),
        (HoldOut("extrapolation", control="tone"), [(0.0, 0.5), (1.0, 0.5)], "control 'tone'.*drive"),
        (HoldOut("corner", control="drive"), GRID, "'corner' with control"),
        (HoldOut("interpolation", 0), GRID, "count 0"),
        (HoldOut("interpolation", seed=-1), GRID, "seed -1"),
        (HoldOut("interpolation"), [(0.5, 0.5)], "no control that varies"),
        (HoldOut("interpolation"), [()], "no control that varies"),
    ],
)
def test_an_impossible_rule_is_refused(rule: HoldOut, recorded, part: str) -> None:
    with pytest.raises(DataError, match=part):
        draw_held_out(rule, recorded, [DRIVE, TONE])


def test_named_settings_must_leave_something_to_train_on() -> None:
    check_trainable({(0.5, 0.5)}, GRID, [DRIVE, TONE])
    with pytest.raises(DataError, match="tone=20 Hz alone left"):
        check_trainable([setting for setting in GRID if setting[1] > 0], GRID, [DRIVE, TONE])
