"""The marks of an excitation come through whatever a machine and its user do to them."""

from __future__ import annotations

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray
from scipy import signal

from tapezoo.data.errors import DataError
from tapezoo.devices.transport import read_delayed, replay_delay
from tapezoo.recordings.excitation.design import CODE_BITS, Design, decode, encode
from tapezoo.recordings.excitation.marks import end_mark, start_mark
from tapezoo.recordings.excitation.plan import end_mark_start, plan
from tapezoo.recordings.excitation.recognition import find_marks, recognise

RATE = 44100
DESIGN = Design(1, seed=40_321, pilot="tone")
LAYOUT = plan(DESIGN, RATE)
Signal = NDArray[np.float64]


def marked(design: Design = DESIGN, rate: int = RATE) -> Signal:
    """Noise between the marks: what an excitation is to those who look for its ends."""
    layout = plan(design, rate)
    sound = 0.05 * np.random.default_rng(1).standard_normal(layout.samples)
    sound[: 4 * rate] = sound[-2 * rate :] = 0
    for start, mark in ((rate, start_mark(design, rate)), (end_mark_start(design, rate), end_mark(rate))):
        sound[start : start + len(mark)] = mark
    return sound


@pytest.fixture(scope="module")
def dry() -> Signal:
    return marked()


@pytest.mark.parametrize(
    "design", [Design(1), Design(60, 65_535, True, "tone"), Design(17, 1234, False, "pulses")]
)
def test_a_design_survives_its_code_and_no_flipped_bit_goes_unseen(design: Design) -> None:
    bits = encode(design)
    assert decode(bits) == design
    for place in range(CODE_BITS):
        assert decode((*bits[:place], not bits[place], *bits[place + 1 :])) is None


def test_the_file_itself_is_recognised_to_the_sample(dry: Signal) -> None:
    assert recognise(dry, RATE) == LAYOUT
    assert recognise(np.stack((dry, 0 * dry)), RATE) == LAYOUT


def test_a_loopback_of_it_is_recognised_with_its_segments_where_they_are(dry: Signal) -> None:
    lead = 12_345
    loopback = np.concatenate((np.zeros(lead), 0.4 * dry))
    found = recognise(loopback, RATE)
    assert found is not None
    assert found.design == DESIGN
    assert [one.start - lead for one in found.segments] == [one.start for one in LAYOUT.segments]
    assert found.end_mark == pytest.approx(LAYOUT.end_mark + lead, abs=0.02)


def test_other_sound_is_not_recognised() -> None:
    random = np.random.default_rng(0)
    assert recognise(0.1 * random.standard_normal(10 * RATE), RATE) is None
    sweep = signal.chirp(np.arange(5 * RATE) / RATE, 20, 5, 20_000, method="logarithmic")
    assert recognise(sweep, RATE) is None


@pytest.mark.parametrize("percent", [0.05, 0.2])
def test_marks_are_found_within_a_sample_under_wow_upside_down_and_late(dry: Signal, percent: float) -> None:
    late = 30 * RATE + 0.25
    delay = replay_delay(len(dry), RATE, percent, seed=3)
    machine = -0.3 * read_delayed(dry, delay)
    padded = np.concatenate((0.02 * np.random.default_rng(5).standard_normal(31 * RATE), machine))
    wet = read_delayed(padded, np.full(len(padded), late - 30 * RATE))
    wet += 0.005 * np.random.default_rng(4).standard_normal(len(wet))
    found = find_marks(wet, RATE, LAYOUT)
    assert found is not None
    assert found.end_mark is not None
    read_at = np.arange(len(dry)) - delay  # sample of dry that each sample of the machine plays
    for mark, place in ((LAYOUT.start_mark, found.start_mark), (LAYOUT.end_mark, found.end_mark)):
        true = float(np.interp(mark, read_at, np.arange(len(dry)))) + 31 * RATE + 0.25
        assert place == pytest.approx(true, abs=0.3 if percent < 0.1 else 1.5)
    assert found.start_delay_samples == pytest.approx(found.start_mark - LAYOUT.start_mark, abs=1e-6)


def test_marks_survive_noise_that_is_louder_than_they_are(dry: Signal) -> None:
    noisy = dry + 2 * np.std(start_mark(DESIGN, RATE)) * np.random.default_rng(2).standard_normal(len(dry))
    found = find_marks(noisy, RATE, LAYOUT)
    assert found is not None
    assert found.end_mark is not None
    assert abs(found.start_delay_samples) < 0.5
    assert abs(found.end_mark - LAYOUT.end_mark) < 0.5


def test_a_clock_that_is_40_ppm_slow_is_measured(dry: Signal) -> None:
    wet = read_delayed(dry, 40e-6 * np.arange(len(dry)))
    found = find_marks(wet, RATE, LAYOUT)
    assert found is not None
    assert found.clock_ratio == pytest.approx(1 / (1 - 40e-6), abs=1e-8)


def test_another_rate_is_none_of_the_clocks_faults_but_a_wrong_label_is(dry: Signal) -> None:
    at_48k = soxr.resample(dry, RATE, 48_000, "HQ")
    right, wrong = find_marks(at_48k, 48_000, LAYOUT), find_marks(at_48k, RATE, LAYOUT)
    assert right is not None
    assert wrong is not None
    assert right.clock_ratio == pytest.approx(1, abs=1e-8)
    assert abs(right.start_delay_samples) < 0.05
    assert wrong.clock_ratio == pytest.approx(48_000 / RATE, abs=1e-7)


def test_a_recording_that_stops_early_has_no_last_mark_and_one_that_begins_late_none(dry: Signal) -> None:
    early = find_marks(dry[: 40 * RATE], RATE, LAYOUT)
    assert early is not None
    assert early.end_mark is None
    assert early.end_delay_samples is None
    assert find_marks(dry[2 * RATE : 10 * RATE], RATE, LAYOUT) is None


def test_the_recording_of_another_excitation_is_refused(dry: Signal) -> None:
    with pytest.raises(DataError, match="another excitation"):
        find_marks(marked(Design(1, seed=2)), RATE, LAYOUT)
