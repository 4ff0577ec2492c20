"""Knobs between the user's units and the net's 0..1."""

import numpy as np
import pytest

from tapezoo.controls import Control, ControlError, control_vector, parse_settings

GAIN = Control("gain", 0.0, 100.0, 50.0, "%")
RELEASE = Control("release", 10.0, 1000.0, 100.0, "ms", "log")


def test_units_map_to_positions_and_back():
    assert GAIN.normalize(25.0) == 0.25
    assert RELEASE.normalize(100.0) == pytest.approx(0.5)
    for value in (10.0, 33.0, 1000.0):
        assert RELEASE.denormalize(RELEASE.normalize(value)) == pytest.approx(value)


def test_a_vector_holds_every_control_in_order_and_defaults_where_unset():
    assert control_vector([GAIN, RELEASE], {"release": 1000.0}) == [0.5, 1.0]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"gian": 1.0}, ["gian", "gain", "release"]),
        ({"gain": 101.0}, ["gain", "101", "0.0 to 100.0 %"]),
        ({"gain": "50"}, ["gain", "'50'", "a number"]),
        ({"gain": None}, ["gain", "None", "a number"]),
        ({"gain": [50.0]}, ["gain", "[50.0]", "a number"]),
        ({"gain": True}, ["gain", "True", "a number"]),
        ({"gain": 1j}, ["gain", "1j", "a number"]),
    ],
)
def test_a_wrong_name_or_value_says_what_is_possible(values, words):
    with pytest.raises(ControlError) as error:
        control_vector([GAIN, RELEASE], values)
    assert all(word in str(error.value) for word in words)


def test_a_control_that_cannot_be_is_refused():
    for wrong in ({"min": 1.0, "max": 1.0}, {"default": 2.0}, {"curve": "log"}, {"curve": "cubic"}):
        with pytest.raises(ControlError):
            Control("x", **wrong)


def test_settings_are_read_as_typed():
    assert parse_settings(["gain=25", "release = 1e2"]) == {"gain": 25.0, "release": 100.0}
    with pytest.raises(ControlError, match="NAME=NUMBER"):
        parse_settings(["gain"])


@pytest.mark.parametrize("second", ["gain=2", " gain = 1"])
def test_a_control_that_is_set_twice_is_refused(second):
    with pytest.raises(ControlError, match="two values for gain; expected each control once"):
        parse_settings(["gain=1", "drive=2", second])


def test_an_underscore_is_no_digit():
    with pytest.raises(ControlError, match="NAME=NUMBER"):
        parse_settings(["gain=1_0"])


def test_a_position_in_single_precision_is_shown_as_the_value_that_was_meant():
    gain, release = Control("gain", -5.0, 20.0, 10.0), Control("release", 10.0, 2000.0, 50.0, curve="log")
    for control, values in ((gain, (-5.0, 0.0, 2.5, 20.0)), (release, (10.0, 50.0, 333.25, 2000.0))):
        for value in values:
            assert float(control.shown(float(np.float32(control.normalize(value))))) == pytest.approx(
                value, rel=1e-4
            )
    assert gain.shown(float(np.float32(0.2))) == "0"
    assert Control("x", 0.0, 1e-6, 0.0).shown(0.5) == "5e-07"


def test_a_control_says_whether_it_chooses_among_machines_only_where_that_is_known():
    assert "switch" not in Control("gain").to_dict()  # as checkpoints of old have it
    assert Control(**Control("blend", switch=True).to_dict()).switch is True
    assert Control("blend", switch=True) == Control("blend")
    with pytest.raises(ControlError):
        Control("blend", switch="yes")
