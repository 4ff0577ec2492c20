"""Wow and flutter that are learned from delays, and takes that are made of them."""

import dataclasses

import numpy as np
import pytest
import wandering_machine as machine

from tapezoo.measure.machine.wow_flutter import weighting
from tapezoo.tape.bands import split_bands
from tapezoo.tape.distances import compare_takes
from tapezoo.tape.errors import TapeError
from tapezoo.tape.spectral import learn_spectrum, make_take
from tapezoo.tape.stretches import check_stretches, cut_stretches


@pytest.fixture(scope="module")
def stretches():
    return [one for seed in range(24) for one in cut_stretches(str(seed), machine.recorded(20, seed))]


@pytest.fixture(scope="module")
def transport(stretches):
    return learn_spectrum(stretches)


def test_lines_are_found_at_their_frequencies_and_amplitudes_and_noise_is_none(transport):
    found = sorted((line.frequency_hz, line.amplitude) for line in transport.lines)
    assert [hertz for hertz, _ in found] == pytest.approx([hertz for hertz, _ in machine.LINES], abs=0.02)
    assert [peak for _, peak in found] == pytest.approx([peak for _, peak in machine.LINES], rel=0.03)


def test_the_spectrum_between_the_lines_is_that_of_the_process(transport):
    hertz = transport.frequency_hz
    for low, high in ((0.3, 1), (1, 2.4), (3, 7.5), (9, 15), (17, 45)):
        band = (hertz >= low) & (hertz < high)
        expected = machine.wow_density(hertz[band]).mean()
        assert transport.density[band].mean() == pytest.approx(expected, rel=0.12)


def test_a_take_is_like_the_machine_and_no_copy_of_what_was_recorded(stretches, transport):
    found = compare_takes([one.delay_s for one in stretches], make_take(transport, 480, seed=1))
    assert found.windows == 72
    assert found.level_apart_db < 1
    assert found.spread_apart_db < 1.5  # .5 is what windows of one machine differ by
    assert found.made_percent == pytest.approx(found.real_percent, rel=0.1)
    assert found.deviation_ratio == pytest.approx(1, abs=0.05)
    assert found.shape < 0.05
    assert found.correlation < 0.1
    assert 0.35 < found.told_apart < 0.65
    assert 0.8 < found.copied < 1.3
    assert make_take(transport, 10, seed=1).mean() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("hertz", [2.7, 16.2, 20.0])
def test_the_wow_and_flutter_of_a_line_is_that_of_its_formula(hertz):
    time_s = np.arange(2000) / 100
    delay = 1e-3 * np.cos(2 * np.pi * hertz * time_s) / (2 * np.pi * hertz)
    found = compare_takes([delay], delay).real_percent
    two_sigma = np.sin(0.95 * np.pi / 2)  # what a sine stays under for 95 % of the time
    assert found == pytest.approx(0.1 * weighting(np.array([hertz]))[0] * two_sigma, rel=0.02)


def test_another_machine_is_told_apart_and_so_are_copies(stretches):
    real = [one.delay_s for one in stretches]
    others = [cut_stretches("x", machine.recorded(20, seed, lines=()))[0] for seed in range(24)]
    other = compare_takes(real, make_take(learn_spectrum(others), 480, seed=1))
    assert other.told_apart > 0.9
    assert other.level_apart_db > 5
    assert other.made_percent < 0.8 * other.real_percent
    windows = np.concatenate([one[:1536] for one in real])
    random = np.random.default_rng(0)
    copies = windows + 1e-9 * random.standard_normal(len(windows))
    assert compare_takes([one[:1536] for one in real], copies).copied < 0.1


def test_the_same_seed_is_the_same_take_and_another_seed_another(transport):
    first, again, other = (make_take(transport, 20, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.7


def test_a_take_begins_anew_without_a_seam(transport):
    take = make_take(transport, 20, seed=0)
    steps = np.abs(np.diff(np.concatenate([take, take])))
    assert steps[len(take) - 1] < 1.5 * np.delete(steps, len(take) - 1).max()


def test_wow_and_flutter_are_set_apart_at_6_hz(transport):
    def power(take, low, high):
        spectrum = np.square(np.abs(np.fft.rfft(np.diff(take) - np.diff(take).mean())))
        hertz = np.fft.rfftfreq(len(take) - 1, 0.01)
        return spectrum[(hertz > low) & (hertz < high)].sum()

    whole = make_take(transport, 60, seed=0)
    slow, fast = split_bands(whole, 100)
    assert power(slow, 7, 45) < 1e-3 * power(whole, 7, 45)
    assert power(slow, 0.3, 5) == pytest.approx(power(whole, 0.3, 5), rel=1e-2)
    assert power(fast, 7, 45) == pytest.approx(power(whole, 7, 45), rel=1e-2)
    assert power(fast, 0.3, 5) < 1e-3 * power(whole, 0.3, 5)
    np.testing.assert_allclose(slow + fast, whole)


def test_steps_unsure_points_and_a_clock_that_is_off_are_no_wow():
    whole = machine.recorded(20, 0)
    (off,) = cut_stretches("off", machine.recorded(20, 0, lines=(), wow=0.0))
    assert off.slope == pytest.approx(-machine.OFF)
    np.testing.assert_allclose(off.delay_s, 0, atol=1e-9)
    times, delay = whole.times_s.copy(), whole.delay_samples.copy()
    times[1000] = times[999]
    delay[1000:] += 300
    stepped = dataclasses.replace(whole, times_s=times, delay_samples=delay)
    parts = cut_stretches("stepped", stepped)
    assert [len(part.delay_s) for part in parts] == [1000, 1001]  # the step has a point on either side
    assert max(float(np.abs(part.speed).max()) for part in parts) < 5e-3
    confidence = np.ones(2000)
    confidence[500:520] = 0.1  # short: bridged
    confidence[1200:1300] = 0.1
    unsure = dataclasses.replace(whole, confidence=confidence)
    assert [len(part.delay_s) for part in cut_stretches("unsure", unsure)] == [1200, 700]


def test_where_the_delay_leaps_it_was_measured_wrongly_and_is_no_flutter():
    whole = machine.recorded(30, 0)
    largest = max(float(np.abs(part.speed).max()) for part in cut_stretches("whole", whole))
    delay = whole.delay_samples.copy()
    delay[500] += 20  # one point
    delay[1500:1510] += 20  # there and back: bridged
    delay[2200:] -= 60  # for good: the stretch ends there
    parts = cut_stretches("leaps", dataclasses.replace(whole, delay_samples=delay))
    assert [len(part.delay_s) / 100 for part in parts] == pytest.approx([22, 8], abs=0.4)
    assert max(float(np.abs(part.speed).max()) for part in parts) < 1.2 * largest


def test_where_there_is_nothing_to_learn_it_says_what_is_needed():
    with pytest.raises(TapeError, match=r"x\.csv: found no stretch of 3 s.*pilot"):
        check_stretches(cut_stretches("short", machine.recorded(2, 0)), "x.csv")
    still = dataclasses.replace(machine.recorded(5, 0), delay_samples=np.full(500, 7.0))
    with pytest.raises(TapeError, match="stands still"):
        check_stretches(cut_stretches("still", still), "x.csv")


def test_of_a_few_seconds_it_says_what_cannot_be_compared():
    (stretch,) = cut_stretches("short", machine.recorded(4, 0))
    found = compare_takes([stretch.delay_s], make_take(learn_spectrum([stretch]), 60, seed=0))
    assert np.isnan([found.told_apart, found.copied, found.level_apart_db, found.real_percent]).all()
    assert found.deviation_ratio == pytest.approx(1, abs=0.3)
