"""Delay trajectories: their curve, and the files they stand in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from tapezoo.data.align.trajectory import DelayTrajectory
from tapezoo.data.align.trajectory_csv import read_trajectory, write_trajectory
from tapezoo.data.errors import DataError

RATE = 44100


def trajectory(times: np.ndarray, delay: np.ndarray) -> DelayTrajectory:
    return DelayTrajectory(times, delay, np.ones(len(times)), RATE)


def wobble(points: int) -> DelayTrajectory:
    times = 0.3 + np.arange(points) / 200
    return trajectory(
        times, 7000 + 5 * np.sin(2 * np.pi * 8 * times) + np.random.default_rng(0).normal(size=points)
    )


def test_any_part_of_a_long_trajectory_is_the_spline_through_all_of_it() -> None:
    long = wobble(2000)
    times = np.arange(RATE * 5, RATE * 5 + 4000) / RATE
    whole = CubicSpline(long.times_s, long.delay_samples, bc_type="natural")(times)
    np.testing.assert_allclose(long.at(RATE * 5, RATE * 5 + 4000), whole, rtol=0, atol=1e-9)


def test_before_the_first_and_after_the_last_point_the_delay_stands_still() -> None:
    long = wobble(2000)
    assert set(long.at(0, RATE // 4)) == {long.delay_samples[0]}
    assert set(long.at(20 * RATE, 20 * RATE + 9)) == {long.delay_samples[-1]}


def test_a_time_that_comes_twice_is_a_step_without_ringing() -> None:
    times = np.concatenate([np.arange(101), np.arange(100, 201)]) / 100
    stepped = trajectory(times, np.where(np.arange(202) < 101, 50.0, 370.0))
    delay = stepped.at(0, 2 * RATE)
    np.testing.assert_allclose(delay[:RATE], 50, atol=1e-12)
    np.testing.assert_allclose(delay[RATE:], 370, atol=1e-12)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    long = wobble(300)
    write_trajectory(tmp_path / "a.csv", long)
    again = read_trajectory(tmp_path / "a.csv", RATE)
    np.testing.assert_allclose(again.at(0, 2 * RATE), long.at(0, 2 * RATE), atol=1e-5)
    assert (tmp_path / "a.csv").read_text().startswith("time_s,delay_samples,confidence\n")


@pytest.mark.parametrize(
    ("text", "delay"),
    [
        ("time_s,delay_samples\n0,48\n1,96\n", [48, 96]),
        ("time_s, delay_ms\n0,1\n1,2\n", [48, 96]),
        ("confidence,delay_s,wet_time_s\n1,.001,0\n.5,.002,1\n", [48, 96]),
        (
            "# input_sample_of_pulse,output_time_s,delay_samples (44.1 kHz)\n384,0,44.1\n825,1,88.2\n",
            [48, 96],
        ),
        ("\ufefftime_s,delay_samples (96000 Hz)\r\n0,96\r\n1,192\r\n", [48, 96]),
    ],
)
def test_units_in_the_names_of_columns_are_converted(tmp_path: Path, text: str, delay: list[float]) -> None:
    (tmp_path / "a.csv").write_text(text, newline="")
    found = read_trajectory(tmp_path / "a.csv", 48000)
    np.testing.assert_allclose(found.delay_samples, delay, rtol=1e-12)
    np.testing.assert_array_equal(found.times_s, [0, 1])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "0 columns of time_s"),
        ("0,7000\n1,7001\n", "0 columns of time_s"),
        ("time,delay_samples\n0,1\n1,1\n", "0 columns of time_s"),
        ("time_s,delay\n0,1\n1,1\n", "0 columns of delay_samples"),
        ("time_s,delay_samples,delay_ms\n0,1,1\n1,1,1\n", "2 columns of delay_samples"),
        ("time_s,delay_ms (44.1 kHz)\n0,1\n1,1\n", "'delay_ms (44.1 khz)'"),
        ("time_s,delay_samples (. kHz)\n0,1\n1,1\n", "'delay_samples (. khz)'"),
        ("time_s,delay_samples\n", "0 points"),
        ("time_s,delay_samples\n0,7000\n", "1 point;"),
        ("time_s,delay_samples\n0,7000\n1,x\n", "'x'"),
        ("time_s,delay_samples\n0,7000\n1,\n", "could not convert string ''"),
        ("time_s,delay_samples\n0,1,7000,2\n1,1,7000,3\n", "4 values in a row"),
        ("time_s,delay_samples\n0,1\n1,1,7\n", "changed from 2 to 3"),
        ("time_s,delay_samples\n0,1\n1,nan\n", "not a finite number in row 2"),
        ("time_s,delay_samples\ninf,1\n1,1\n", "not a finite number in row 1"),
        ("time_s,delay_samples\n0,1\n2,1\n1,1\n", "a time that falls in row 3, at 1 s"),
        ("time_s,delay_samples\n0,1\n1,1\n1,2\n1,3\n", "the same time three times"),
        ("time_s,delay_s\n0,0\n1,0\n1,1.5\n2,1.5\n", "jumps by a second or more in row 3, at 1 s"),
        ("time_s,delay_ms\n0,0\n.01,20\n", "faster than time in row 2, at 0.01 s"),
        ("time_s,delay_samples,confidence\n0,1,1\n1,1,2\n", "confidence outside"),
    ],
)
def test_a_file_that_is_no_trajectory_is_refused_and_says_why(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(DataError) as fault:
        read_trajectory(tmp_path / "bad.csv", RATE)
    assert said in str(fault.value)
    assert "bad.csv" in str(fault.value)


def test_no_file_and_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        read_trajectory(tmp_path / "none.csv", RATE)
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(DataError, match="not UTF-8"):
        read_trajectory(tmp_path / "a.csv", RATE)
