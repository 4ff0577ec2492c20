"""Alignment against delays that are known because the test put them there."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from tapezoo.data.align.constant import delays_over_time, find_delay
from tests.data.signals import RATE, amplifier, delayed, noise_bursts, plucked_notes

LIMIT = round(0.6 * RATE)


@pytest.mark.parametrize("delay", [0, 1, 96, 1024, 7070, 22050, -1, -96, -1024, -22050])
def test_a_distorted_copy_is_aligned_to_the_sample_in_both_directions(delay: int) -> None:
    dry = noise_bursts(4.0)
    found = find_delay(dry, amplifier(delayed(dry, delay)), LIMIT)
    assert found.found
    assert found.delay_samples == pytest.approx(delay, abs=0.5)
    assert found.correction_samples == delay
    assert not found.inverted
    assert found.drift_samples == 0


@pytest.mark.parametrize("delay", [7070, -96, 0])
def test_tonal_material_with_distortion_is_aligned(delay: int) -> None:
    dry = plucked_notes(5.0)
    found = find_delay(dry, amplifier(delayed(dry, delay)), LIMIT)
    assert found.found
    assert found.delay_samples == pytest.approx(delay, abs=0.5)
    assert delay - 4 <= found.correction_samples <= delay


def test_it_is_right_where_plain_cross_correlation_is_wrong() -> None:
    dry = plucked_notes(5.0)
    # all-pass: a low resonance is turned in phase, the attack stays where it is
    b, a = signal.butter(2, 300, "high", fs=RATE)
    wet = delayed(amplifier(signal.lfilter(b, a, dry)), 500)
    plain = int(np.argmax(np.abs(signal.correlate(wet, dry, "full")))) - (len(dry) - 1)
    assert abs(plain - 500) > 3
    assert find_delay(dry, wet, LIMIT).delay_samples == pytest.approx(500, abs=1.5)


@pytest.mark.parametrize("delay", [100.5, 100.3, -20.4, 3.75])
def test_fractional_delays_are_estimated_within_a_tenth_of_a_sample(delay: float) -> None:
    dry = noise_bursts(4.0)
    found = find_delay(dry, delayed(dry, delay), LIMIT)
    assert found.delay_samples == pytest.approx(delay, abs=0.1)
    assert found.correction_samples in (int(np.floor(delay)), round(delay))


def test_inverted_polarity_with_dc_is_seen_and_aligned() -> None:
    dry = plucked_notes(4.0)
    found = find_delay(dry, -delayed(dry, 40) - 0.37, LIMIT)
    assert found.inverted
    assert found.correction_samples == 40


def test_a_wandering_delay_is_reported_and_its_middle_is_found() -> None:
    dry = noise_bursts(6.0)
    time = np.arange(len(dry))
    wander = 10 * np.sin(2 * np.pi * 0.5 * time / RATE)
    wet = np.interp(time - 300 - wander, time, dry)
    found = find_delay(dry, wet, LIMIT)
    assert found.found
    assert found.delay_samples == pytest.approx(300, abs=4)
    assert 10 < found.drift_samples < 21
    # at the third of a second that is window 0 the sine is around its first quarter: delays follow it
    delays = delays_over_time(dry, wet, 300)
    assert delays.max() == pytest.approx(309, abs=3)
    assert delays.min() == pytest.approx(291, abs=3)


def test_unrelated_recordings_are_not_aligned() -> None:
    found = find_delay(plucked_notes(4.0, seed=1), amplifier(plucked_notes(4.0, seed=2)), LIMIT)
    assert not found.found


def test_files_of_different_length_are_aligned() -> None:
    dry = noise_bursts(4.0)
    wet = np.concatenate([np.zeros(5000), amplifier(dry), np.zeros(9000)])
    assert find_delay(dry, wet, LIMIT).correction_samples == 5000
    assert find_delay(wet, dry, LIMIT).correction_samples == -5000


def test_noise_as_loud_as_a_cassette_does_not_disturb() -> None:
    dry = plucked_notes(5.0)
    wet = delayed(dry, 333) + 0.003 * np.random.default_rng(5).standard_normal(len(dry))
    assert find_delay(dry, wet, LIMIT).delay_samples == pytest.approx(333, abs=0.5)
