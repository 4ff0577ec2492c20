"""What a grid is asked for in: the command line's own words."""

import argparse

import numpy as np
import pytest

from tapezoo.cli.grid_options import add_grid_arguments, grid_part
from tapezoo.controls import Control
from tapezoo.export.errors import GridError
from tapezoo.export.grid import parse_axes, parse_held

CONTROLS = [
    Control("drive", 0.0, 10.0, 2.0, "dB"),
    Control("speed", 20.0, 2000.0, 200.0, "Hz", "log"),
    Control("bias", -6.0, 6.0, 0.0, "dB"),
]


@pytest.mark.parametrize(
    ("text", "values", "positions"),
    [
        ("drive=0:10:5", [0, 2.5, 5, 7.5, 10], [0, 0.25, 0.5, 0.75, 1]),
        ("drive=1:2:2", [1, 2], [0.1, 0.2]),
        ("speed=20:2000:3:log", [20, 200, 2000], [0, 0.5, 1]),
        ("speed=20:2000:3", [20, 1010, 2000], [0, np.log(50.5) / np.log(100), 1]),
        ("bias=-6/-1.5/6", [-6, -1.5, 6], [0, 0.375, 1]),
        ("bias=-6:6:2", [-6, 6], [0, 1]),
        (" bias = -6 / 6 ", [-6, 6], [0, 1]),
        ("drive=1e-1/1e1", [0.1, 10], [0.01, 1]),
    ],
)
def test_an_axis_is_spaced_in_the_controls_unit(text, values, positions):
    (axis,) = parse_axes(text, CONTROLS)
    np.testing.assert_allclose(axis.values, values, rtol=1e-12)
    np.testing.assert_allclose(axis.positions, positions, rtol=1e-12)


def test_axes_keep_the_order_they_were_typed_in():
    axes = parse_axes("bias=-6:6:3,drive=0/10", CONTROLS)
    assert [axis.control for axis in axes] == ["bias", "drive"]


@pytest.mark.parametrize("count", [3, 7, 11, 997])
def test_rounding_never_leaves_the_range(count):
    for control in [Control("c", 0.1, 0.7, 0.3), Control("c", 0.1, 0.7, 0.3, curve="log")]:
        for scale in ("", ":log"):
            (axis,) = parse_axes(f"c=0.1:0.7:{count}{scale}", [control])
            assert (axis.positions[0], axis.positions[-1], len(axis.values)) == (0.0, 1.0, count)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("drive", "no equals sign"),
        ("", "no equals sign"),
        ("drive=0:10:3,", "no equals sign"),
        ("drve=0:10:3", "'drve'.*one of drive 0 to 10 dB"),
        ("drive=0:11:3", "drive at 11.*0.0 to 10.0 dB"),
        ("drive=-1/3", "drive at -1.*0.0 to 10.0 dB"),
        ("drive=0:10", "NAME=START:STOP:COUNT"),
        ("drive=0:10:3:lin", "NAME=START:STOP:COUNT"),
        ("drive=0:10:3:log:log", "NAME=START:STOP:COUNT"),
        ("drive=0:10:2.5", "COUNT is a whole number"),
        ("drive=0:10:-3", "COUNT is a whole number"),
        ("drive=a:10:3", "'a' for a number"),
        ("drive=nan/1", "'nan' for a number"),
        ("drive=0:10:1", "two or more, rising"),
        ("drive=0:10:0", "two or more, rising"),
        ("drive=5", "two or more, rising.*--grid-set drive=VALUE"),
        ("drive=10:0:3", "a range that rises"),
        ("drive=3/3", "two or more, rising"),
        ("drive=0:10:5:log", "a start above 0"),
        ("drive=0:10:3,drive=0:10:2", "'drive' twice"),
        ("drive=0:10:100000", "4096 at most"),
        ("drive=0:10:100,bias=-6:6:100", "10000 points"),
    ],
)
def test_what_cannot_be_sampled_is_refused_with_what_is_possible(text, says):
    with pytest.raises(GridError, match=says):
        parse_axes(text, CONTROLS)


def test_a_model_without_controls_has_no_grid():
    with pytest.raises(GridError, match="this one has none"):
        parse_axes("drive=0:1:2", [])


def test_a_control_without_an_axis_is_held_at_its_default_or_where_it_was_put():
    axes = parse_axes("drive=0:10:2", CONTROLS)
    assert parse_held([], axes, CONTROLS) == {"speed": 200.0, "bias": 0.0}
    assert parse_held(["bias=-3"], axes, CONTROLS) == {"speed": 200.0, "bias": -3.0}


@pytest.mark.parametrize(
    ("assignment", "says"),
    [
        ("drive=1", "a control that is an axis"),
        ("bias=7", "bias at 7.*-6.0 to 6.0 dB"),
        ("tone=1", "'tone'"),
        ("bias", "NAME=NUMBER"),
    ],
)
def test_a_held_value_that_cannot_be_is_refused(assignment, says):
    with pytest.raises(GridError, match=says):
        parse_held([assignment], parse_axes("drive=0:10:2", CONTROLS), CONTROLS)


def test_a_count_of_more_digits_than_python_reads_is_refused():
    with pytest.raises(GridError, match="COUNT"):
        parse_axes(f"drive=0:1:{'9' * 5000}", CONTROLS)


def options(*words):
    parser = argparse.ArgumentParser()
    add_grid_arguments(parser)
    return parser.parse_args(words)


def test_the_command_line_makes_the_part_that_was_asked_for():
    part = grid_part(
        options(
            "--grid",
            "drive=0:10:3",
            "--grid-set",
            "bias=1",
            "--grid-rule",
            "outputs",
            "--max-error",
            "1e-3",
            "--grid-cpp",
        ),
        CONTROLS,
    )
    assert part.axes == parse_axes("drive=0:10:3", CONTROLS)
    assert (part.held, part.rule) == ({"speed": 200.0, "bias": 1.0}, "outputs")
    assert (part.max_error, part.max_points, part.cpp) == (1e-3, 256, True)
    assert grid_part(options(), CONTROLS) is None


@pytest.mark.parametrize(
    "words",
    [
        ["--grid-set", "bias=1"],
        ["--max-error", "1e-3"],
        ["--grid-rule", "outputs"],
        ["--max-points", "9"],
        ["--grid-cpp"],
        ["--grid", "drive=0/1", "--max-points", "9"],
        ["--grid", "drive=0/1", "--max-error", "0"],
        ["--grid", "drive=0/1", "--max-error", "inf"],
        ["--grid", "drive=0/1", "--grid-set", "bias=0", "--grid-set", "bias=1"],
    ],
)
def test_options_that_make_no_sense_are_refused(words):
    with pytest.raises(GridError, match=r"--max-|--grid|the grid"):
        grid_part(options(*words), CONTROLS)
