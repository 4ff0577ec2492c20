"""Distances between machines whose difference is known in closed form."""

import dataclasses

import numpy as np
import pytest
from scipy import signal as scipy_signal

from tapezoo.measure.machine.aliasing import Aliasing
from tapezoo.measure.machine.deviation import (
    aliasing_difference_db,
    delay_deviation,
    flutter_ratio,
    harmonic_distance_db,
    noise_distance_db,
    response_deviation,
    thd_ratio,
)
from tapezoo.measure.machine.distortion import measure_distortion
from tapezoo.measure.machine.machine import Machine
from tapezoo.measure.machine.measured import deviations_of, measure_machine
from tapezoo.measure.machine.noise import Noise, measure_noise
from tapezoo.measure.machine.response import Response, measure_response
from tapezoo.measure.machine.wow_flutter import WowFlutter

RATE_HZ = 44100


def machine(play, sample_rate=RATE_HZ):
    return Machine("a function", sample_rate, 0, play)


def filtered(sections):
    return machine(lambda rows: scipy_signal.sosfilt(sections, rows, axis=1))


def test_the_response_deviation_of_two_filters_is_that_of_their_transfer_functions_without_the_gain():
    sections = [scipy_signal.butter(order, 5000, fs=RATE_HZ, output="sos") for order in (1, 2)]
    louder = np.copy(sections[1])
    louder[0, :3] *= 2
    one, other = (measure_response(filtered(each)) for each in (sections[0], louder))
    hertz = one.frequency_hz[(one.frequency_hz >= 40) & (one.frequency_hz <= 16000)]
    apart = [20 * np.log10(np.abs(scipy_signal.sosfreqz(each, hertz, fs=RATE_HZ)[1])) for each in sections]
    expected = apart[0] - apart[1]
    expected -= np.median(expected)
    found = response_deviation(one, other)
    assert found.rms == pytest.approx(np.sqrt(np.mean(expected**2)), rel=0.02)
    assert found.largest == pytest.approx(np.abs(expected).max(), rel=0.02)
    assert response_deviation(other, other).largest == 0


def test_the_delay_deviation_of_two_all_passes_is_that_of_their_group_delays_without_the_constant_delay():
    poles = [0.9, 0.5]
    machines = [
        machine(
            lambda rows, a=a, late=late: np.roll(scipy_signal.lfilter([-a, 1], [1, -a], rows, axis=1), late)
        )
        for a, late in zip(poles, (0, 5), strict=True)
    ]
    one, other = (measure_response(each) for each in machines)
    hertz = one.frequency_hz[(one.frequency_hz >= 40) & (one.frequency_hz <= 16000)]
    delays = [scipy_signal.group_delay(([-a, 1], [1, -a]), hertz, fs=RATE_HZ)[1] for a in poles]
    expected = 1e3 * (delays[0] - delays[1]) / RATE_HZ
    expected -= np.median(expected)
    found = delay_deviation(one, other)
    assert found.rms == pytest.approx(np.sqrt(np.mean(expected**2)), rel=0.03)
    assert found.largest == pytest.approx(np.abs(expected).max(), rel=0.03)


def test_what_a_machine_hardly_lets_through_counts_as_60_db_down_and_has_no_delay():
    hertz = np.array([50.0, 100.0, 1000.0, 10000.0])
    flat = Response(hertz, np.zeros(4), np.zeros(4), -30.0)
    steep = Response(hertz, np.array([-150.0, 0, 0, 0]), np.array([70.0, 0, 0, 0]), -30.0)
    assert response_deviation(flat, steep).largest == 60
    assert delay_deviation(flat, steep).largest == 0


def noise_of(density_db):
    hertz = np.linspace(0, RATE_HZ / 2, 2206)
    return Noise(hertz, np.broadcast_to(density_db, hertz.shape), 0.0, 0.0, 0.0, 0.0, 0.0)


QUIET = noise_of(-240.0)


def cubes(second, third):
    return machine(lambda rows: rows + second * rows**2 + third * rows**3)


def test_the_harmonic_distance_of_two_polynomials_is_that_of_trigonometry():
    levels = [-12.0, -6.0]
    one, other = (measure_distortion(cubes(*each), [1000.0], levels) for each in ((0.1, 0.05), (0.05, 0.05)))
    # the second harmonic is 6.02 dB higher, the third the same; four lines stand out
    assert harmonic_distance_db(one, other, (QUIET, QUIET)) == pytest.approx(
        20 * np.log10(2) / np.sqrt(2), abs=1e-3
    )
    linear = measure_distortion(cubes(0, 0), [1000.0], levels)
    peak = 10 ** (np.array(levels) / 20)
    fundamental = peak + 0.75 * 0.05 * peak**3
    heights = 20 * np.log10(np.stack([0.05 * peak**2, 0.0125 * peak**3]) / fundamental) + 100
    assert harmonic_distance_db(one, linear, (QUIET, QUIET)) == pytest.approx(
        np.sqrt(np.mean(heights**2)), abs=1e-2
    )
    assert np.isnan(harmonic_distance_db(linear, linear, (QUIET, QUIET)))


def test_harmonics_in_the_noise_do_not_count():
    one, other = (measure_distortion(cubes(*each), [1000.0], [-6.0]) for each in ((0.1, 0.001), (0.1, 0.002)))
    assert harmonic_distance_db(one, other, (QUIET, QUIET)) > 3
    # at -6 dB the thirds are at -80 and -74 dB re full scale; noise of -90 dB per Hz reads -78 dB in 7.5 Hz
    loud = noise_of(-90.0)
    assert harmonic_distance_db(one, other, (loud, loud)) == pytest.approx(0, abs=0.01)


def test_what_noise_reads_as_a_line_is_what_a_line_in_noise_reads():
    noise = 1e-3 * np.random.default_rng(0).standard_normal((7, 6 * RATE_HZ))

    def noisy(rows):
        return rows + noise[: len(rows), : rows.shape[1]]

    found = measure_noise(machine(noisy))
    distortion = measure_distortion(machine(noisy), [1000.0])
    read = 10 * np.log10(np.mean(10 ** (distortion.harmonic_db[..., 1:] / 10)))
    density_db = 10 * np.log10(1e-6 / (RATE_HZ / 2))
    assert read == pytest.approx(density_db + 10 * np.log10(2 * 7.5), abs=1.5)
    assert np.isnan(harmonic_distance_db(distortion, distortion, (found, found)))


def test_the_distances_of_noise_thd_flutter_and_aliases():
    assert noise_distance_db(noise_of(-100.0), noise_of(-107.0)) == pytest.approx(7)
    assert np.isnan(noise_distance_db(QUIET, QUIET))
    # a band of 23 % of its middle, and -120 dB where there is none
    middles = 1000 * 10 ** (np.arange(-10, 13) / 10)
    levels = -100 + 10 * np.log10(middles * (10**0.05 - 10**-0.05))
    expected = np.sqrt(np.mean((levels + 120) ** 2))
    assert noise_distance_db(noise_of(-100.0), QUIET) == pytest.approx(expected, abs=0.2)
    assert thd_ratio(3.0, 1.5) == 2
    assert np.isnan(thd_ratio(3.0, 1e-8))
    wow = WowFlutter(0.2, 0.3, 0.2, 0.1, 0.1, 0.0, 12.0)
    assert flutter_ratio(dataclasses.replace(wow, weighted_percent=0.1), wow) == 0.5
    assert np.isnan(flutter_ratio(wow, None))
    assert np.isnan(flutter_ratio(wow, dataclasses.replace(wow, weighted_percent=1e-5)))
    hertz = np.array([1250.0, 4200.0])
    one, other = (Aliasing(hertz, -6.0, np.array(each)) for each in ((-50.0, -170.0), (-56.0, -150.0)))
    assert aliasing_difference_db(one, other) == pytest.approx(3)


def test_the_deviations_of_two_machines_are_in_one_list_with_the_sign_of_the_first():
    """At a rate without room for two tones near 20 kHz."""
    measured = [
        measure_machine(Machine("cube", 16000, 0, lambda rows, third=third: 0.5 * rows + third * rows**3))
        for third in (0.1, 0.05)
    ]
    found = {figure.key: figure.value for figure in deviations_of(*measured)}
    assert found["response_largest_db"] == pytest.approx(0, abs=0.01)
    peak = 10 ** (-6 / 20)
    thd = [0.25 * third * peak**3 / (0.5 * peak + 0.75 * third * peak**3) for third in (0.1, 0.05)]
    assert found["thd_ratio"] == pytest.approx(thd[0] / thd[1], rel=1e-3)
    assert found["harmonics_db"] == pytest.approx(6, abs=0.3)
    assert found["smpte_difference_points"] > 0
    assert np.isnan(found["ccif_second_difference_points"])
    assert np.isnan(found["flutter_ratio"])
    assert np.isnan(found["noise_spectrum_db"])
    # the third harmonic of 1.25 kHz does not fold, that of 4.2 kHz does as a whole
    assert found["aliases_difference_db"] == pytest.approx(20 * np.log10(thd[0] / thd[1]) / 2, abs=0.05)
