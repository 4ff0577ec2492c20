"""What `prepare` learns from the marks of an excitation: where it begins, whether it is whole, what it is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal

from tapezoo.data.align.timing import ChannelTiming, PairTiming
from tapezoo.data.align.trajectory import DelayTrajectory
from tapezoo.recordings.excitation import pilot
from tapezoo.recordings.excitation.design import Design
from tapezoo.recordings.excitation.marks import end_mark, start_mark
from tapezoo.recordings.excitation.plan import end_mark_start, plan
from tapezoo.recordings.intake import Intake
from tapezoo.recordings.marked import Marked, marks_refusals, measure_marked, read_marks, speed_remarks

RATE = 44100
DESIGN = Design(1, seed=3)
Audio = NDArray[np.float32]


def excitation(design: Design) -> Audio:
    """Noise in bursts between the marks, and the pilot beside it where there is one."""
    layout = plan(design, RATE)
    random = np.random.default_rng(design.seed)
    bursts = np.repeat(random.random(layout.samples // 9000 + 1) > 0.5, 9000)[: layout.samples]
    sound = 0.1 * random.standard_normal(layout.samples) * bursts
    sound[: 4 * RATE] = sound[-2 * RATE :] = 0
    for start, mark in (
        (RATE, start_mark(design, RATE)),
        (end_mark_start(design, RATE), end_mark(RATE)),
    ):
        sound[start : start + len(mark)] = mark
    channels = [sound]
    if design.pilot != "none":
        channels.append(pilot.pulses(0, layout.samples, RATE, layout.samples - RATE, RATE))
    return np.stack(channels).astype(np.float32)


def heard(dry: Audio, early_s: float, delay_samples: int, gain: float = -0.5) -> Audio:
    """A recording by someone who pressed record early, of a machine that delays and turns over."""
    room = round(early_s * RATE) + delay_samples
    wet = gain * signal.lfilter(*signal.butter(1, 12_000, fs=RATE), dry)
    wet = np.pad(wet, ((0, 0), (room, RATE)))
    noise = np.random.default_rng(9).standard_normal(wet.shape)
    return (wet + 1e-4 * noise).astype(np.float32)


@pytest.fixture(scope="module")
def dry() -> Audio:
    return excitation(DESIGN)


def marked_of(dry: Audio, wet: Audio) -> Marked:
    found = read_marks(Intake(dry, wet, None, ()), RATE)
    assert isinstance(found, Marked)
    return found


def test_a_recording_that_began_long_before_is_timed_to_the_sample(dry: Audio) -> None:
    marked = marked_of(dry, heard(dry, 23.0, 311))
    timing = measure_marked(marked, RATE)
    assert timing.channels[0].found
    assert timing.channels[0].inverted
    assert timing.channels[0].constant_samples == 23 * RATE + 311
    assert marks_refusals(marked, timing, RATE) == []
    assert {remark.effect for remark in marked.intake.remarks} == {"note"}


def test_a_dry_that_began_long_before_is_timed_too(dry: Audio) -> None:
    loopback = np.pad(dry, ((0, 0), (7 * RATE, 0)))
    timing = measure_marked(marked_of(loopback, heard(dry, 1.0, 50)), RATE)
    assert timing.channels[0].constant_samples == 50 - 6 * RATE


def test_the_pilot_is_no_programme() -> None:
    both = excitation(replace(DESIGN, pilot="pulses"))
    wet = heard(both, 0.5, 20)
    marked = marked_of(both, wet)
    assert len(marked.intake.dry) == len(marked.intake.wet) == 1
    assert marked.intake.pilot is not None
    np.testing.assert_array_equal(marked.intake.pilot[0], both[1])
    np.testing.assert_array_equal(marked.intake.pilot[1], wet[1])


def test_what_is_missing_is_said(dry: Audio) -> None:
    wet = heard(dry, 0.0, 100)
    cut = marked_of(dry, wet[:, : 40 * RATE])
    assert [one.effect for one in cut.intake.remarks] == ["note", "limits"]
    assert "holds 40.0 of 60.0 s" in cut.intake.remarks[1].text
    late = marked_of(dry, wet[:, 2 * RATE : 10 * RATE])
    assert late.marks is None
    assert [one.effect for one in late.intake.remarks] == ["note", "limits"]


def test_what_cannot_be_right_is_refused(dry: Audio) -> None:
    other = read_marks(Intake(dry, heard(excitation(Design(1, seed=4)), 0, 0), None, ()), RATE)
    assert isinstance(other, tuple)
    assert "another excitation" in other[0].text
    fast = signal.resample_poly(dry, 147, 160, axis=1).astype(np.float32)
    label = read_marks(Intake(dry, fast, None, ()), RATE)
    assert isinstance(label, tuple)
    assert "0.91875 times as long" in label[0].text
    marked = marked_of(dry, heard(dry, 0, 100))
    wrong = PairTiming((ChannelTiming(100 + RATE // 10, 0.0, True, 9.0, True),))
    assert [one.effect for one in marks_refusals(marked, wrong, RATE)] == ["refused"]


def test_a_change_of_delay_between_the_marks_that_the_timing_does_not_tell_is_said(dry: Audio) -> None:
    wet = heard(dry, 0, 100)
    lossy = marked_of(dry, np.delete(wet, slice(30 * RATE, 30 * RATE + 50), axis=1))
    steady = PairTiming((ChannelTiming(100, 0.0, True, 9.0, True),))
    assert [one.effect for one in speed_remarks(lossy, steady, RATE)] == ["limits"]
    assert "-50." in speed_remarks(lossy, steady, RATE)[0].text
    step = DelayTrajectory(np.array([0, 30.0, 30.0, 60]), np.array([100.0, 100, 50, 50]), np.ones(4), RATE)
    told = PairTiming((ChannelTiming(50, 0.0, True, 9.0, True, step),))
    assert speed_remarks(lossy, told, RATE) == []
    assert speed_remarks(marked_of(dry, wet), steady, RATE) == []


def test_music_is_left_as_it_is() -> None:
    sound = (0.1 * np.random.default_rng(0).standard_normal((1, 5 * RATE))).astype(np.float32)
    marked = marked_of(sound, sound)
    assert (marked.layout, marked.marks) == (None, None)
    assert (marked.intake.pilot, marked.intake.remarks) == (None, ())
    np.testing.assert_array_equal(marked.intake.dry, sound)
    np.testing.assert_array_equal(marked.intake.wet, sound)
