"""What is measured of a machine, on machines whose figures are known in closed form."""

import json

import numpy as np
import pytest
from scipy import signal as scipy_signal

from tapezoo.devices import device
from tapezoo.measure.machine.aliasing import measure_aliasing
from tapezoo.measure.machine.arrival import measure_arrival
from tapezoo.measure.machine.distortion import measure_distortion
from tapezoo.measure.machine.dynamics import measure_dynamics
from tapezoo.measure.machine.intermodulation import measure_intermodulation
from tapezoo.measure.machine.loop import measure_loops
from tapezoo.measure.machine.machine import Machine, MeasureError, machine_of_device
from tapezoo.measure.machine.measured import deviations_of, figures_of, measure_machine
from tapezoo.measure.machine.noise import a_weighting, measure_noise
from tapezoo.measure.machine.response import measure_response
from tapezoo.measure.machine.wow_flutter import (
    measure_wow_flutter,
    speed_of_tone,
    weighting,
    wow_flutter,
)

RATE_HZ = 44100


def machine(play, sample_rate=RATE_HZ):
    return Machine("a function", sample_rate, 0, play)


def filtered(sections):
    return machine(lambda rows: scipy_signal.sosfilt(sections, rows, axis=1))


def test_the_response_is_that_of_the_filter_whatever_harmonics_come_with_it():
    sections = np.vstack(
        [
            scipy_signal.butter(2, 60, "high", fs=RATE_HZ, output="sos"),
            scipy_signal.butter(2, 6000, fs=RATE_HZ, output="sos"),
        ]
    )
    found = measure_response(
        machine(lambda rows: scipy_signal.sosfilt(sections, rows + 0.3 * rows**2, axis=1))
    )
    _, expected = scipy_signal.sosfreqz(sections, found.frequency_hz, fs=RATE_HZ)
    clear = np.abs(expected) > 0.01
    np.testing.assert_allclose(found.gain_db[clear], 20 * np.log10(np.abs(expected[clear])), atol=0.1)
    delay = sum(
        scipy_signal.group_delay((section[:3], section[3:]), found.frequency_hz, fs=RATE_HZ)[1]
        for section in sections
    )
    mid = (found.frequency_hz > 40) & (found.frequency_hz < 6000)
    np.testing.assert_allclose(found.group_delay_ms[mid], 1e3 * delay[mid] / RATE_HZ, atol=0.15)


def test_harmonics_of_a_polynomial_are_those_of_trigonometry():
    second, third = 0.1, 0.05
    found = measure_distortion(
        machine(lambda rows: rows + second * rows**2 + third * rows**3), [1000.0, 12000.0], [-6.0]
    )
    peak = 10 ** (-6 / 20)
    fundamental = peak + 0.75 * third * peak**3
    assert found.frequency_hz.tolist() == [1000.0]  # 12 kHz has no second harmonic here
    assert found.harmonic_percent(2)[0, 0] == pytest.approx(
        100 * 0.5 * second * peak**2 / fundamental, rel=1e-3
    )
    assert found.harmonic_percent(3)[0, 0] == pytest.approx(
        100 * 0.25 * third * peak**3 / fundamental, rel=1e-3
    )
    both = np.hypot(found.harmonic_percent(2), found.harmonic_percent(3))
    assert found.thd_percent[0, 0] == pytest.approx(both[0, 0], rel=1e-3)


def test_intermodulation_of_a_polynomial_is_that_of_trigonometry():
    second, third = 0.1, 0.2
    found = measure_intermodulation(
        machine(lambda rows: rows + second * rows**2 + third * rows**3), level_db=0.0
    )
    low, high = 0.8, 0.2
    lines = [second * low * high] * 2 + [0.75 * third * low**2 * high] * 2
    carrier = high + third * (0.75 * high**3 + 1.5 * low**2 * high)
    assert found.smpte_percent == pytest.approx(100 * np.sqrt(np.sum(np.square(lines))) / carrier, rel=1e-3)
    each = 0.5
    tone = each + third * (0.75 + 1.5) * each**3
    assert found.ccif_second_percent == pytest.approx(100 * second * each**2 / (2 * tone), rel=1e-3)
    assert found.ccif_third_percent == pytest.approx(100 * 0.75 * third * each**3 / tone, rel=1e-3)
    assert np.isnan(measure_intermodulation(machine(lambda rows: rows, 22050)).ccif_second_percent)


def test_the_area_of_a_loop_is_that_of_its_ellipse():
    period = 441
    found = measure_loops(machine(lambda rows: np.roll(rows, period // 12, axis=1)))
    shift = 2 * np.pi * (period // 12) / period
    np.testing.assert_allclose(found.area, np.pi / 4 * np.sin(shift), rtol=1e-3)
    assert measure_loops(machine(np.tanh)).area == pytest.approx(0, abs=1e-5)


def follower(attack_s, release_s, ratio):
    """A compressor above -30 dB whose gain follows in dB with one time constant each."""

    def play(rows):
        made = []
        for row in rows:
            # the level by quadrature, as exact as a tone allows
            level = 20 * np.log10(np.maximum(np.abs(scipy_signal.hilbert(row)), 1e-6))
            wanted = -(1 - 1 / ratio) * np.maximum(level + 30, 0)
            gain, now = np.empty(len(row)), 0.0
            for n, goal in enumerate(wanted):
                speed = attack_s if goal < now else release_s
                now += (goal - now) * (1 - np.exp(-1 / (speed * RATE_HZ)))
                gain[n] = now
            made.append(row * 10 ** (gain / 20))
        return np.stack(made)

    return machine(play)


def test_attack_and_release_are_the_time_constants_of_the_gain():
    found = measure_dynamics(follower(0.02, 0.2, 4.0))
    assert found.attack_ms == pytest.approx(20, rel=0.1)
    assert found.release_ms == pytest.approx(200, rel=0.05)
    assert found.loud_gain_db - found.quiet_gain_db == pytest.approx(-18, abs=0.3)
    still = measure_dynamics(machine(lambda rows: 2 * rows))
    assert np.isnan(still.attack_ms)
    assert np.isnan(still.release_ms)


def test_noise_and_hum_are_told_apart_and_the_tone_is_what_they_are_compared_with():
    noise = np.random.default_rng(0).standard_normal(6 * RATE_HZ)
    time = np.arange(6 * RATE_HZ) / RATE_HZ
    hum = 1e-3 * (np.sin(2 * np.pi * 50 * time) + 0.5 * np.sin(2 * np.pi * 150 * time))

    def play(rows):
        return 0.5 * rows + 1e-4 * noise[: rows.shape[1]] + hum[: rows.shape[1]] + 0.01

    found = measure_noise(machine(play))
    assert found.hum_hz == 50
    assert found.hum_db == pytest.approx(10 * np.log10(1e-6 * (1 + 0.25) / 2), abs=0.3)
    assert found.level_db == pytest.approx(10 * np.log10(1e-8 + 1e-6 * 1.25 / 2), abs=0.1)
    assert found.snr_db == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)) - found.level_db, abs=0.1)
    assert measure_noise(machine(lambda rows: rows)).level_db == -np.inf
    without = measure_noise(machine(lambda rows: rows + 1e-4 * noise[: rows.shape[1]]))
    assert without.hum_hz == 0
    density = 10 * np.log10(1e-8 / (RATE_HZ / 2))
    assert np.median(without.density_db) == pytest.approx(density, abs=0.5)


def test_hum_that_nobody_hears_is_none():
    time = np.arange(6 * RATE_HZ) / RATE_HZ
    for level_db, hertz in ((-131.0, 0), (-115.0, 50)):
        hum = 10 ** ((level_db + 3.01) / 20) * np.sin(2 * np.pi * 50 * time)
        found = measure_noise(machine(lambda rows, hum=hum: rows + hum[: rows.shape[1]]))
        assert found.hum_hz == hertz, level_db
    assert found.hum_db == pytest.approx(-115, abs=0.3)


def test_a_machine_that_is_silent_has_no_figures_but_says_so():
    measured = measure_machine(machine(np.zeros_like, 16000))
    figures = {figure.key: figure for figure in figures_of(measured)}
    assert figures.pop("latency_samples").value == 0
    assert all(np.isnan(one.value) or np.isneginf(one.value) for one in figures.values()), figures
    for key in (
        "gain_1k_db", "polarity", "thd_1k_6_percent", "h2_1k_percent", "smpte_percent", "loop_area_6",
        "compression_db", "noise_db", "noise_a_db",
    ):  # fmt: skip
        assert figures[key].missing == "digital silence", key
    assert {one.missing for key, one in figures.items() if key.startswith("aliases_")} == {"digital silence"}
    assert json.loads(json.dumps(measured.as_json(), allow_nan=False))["noise"]["level_db"] is None
    loud = measure_machine(machine(np.tanh, 16000))
    apart = {figure.key: figure for figure in deviations_of(measured, loud)}
    assert apart["response_rms_db"].missing == "digital silence"
    assert all(np.isnan(one.value) for one in apart.values())


@pytest.mark.parametrize(("hertz", "level_db"), [(31.62, -39.4), (100, -19.1), (1000, 0.0), (10000, -2.5)])
def test_the_a_weighting_is_that_of_the_standards_table(hertz, level_db):
    assert 20 * np.log10(a_weighting(np.array([hertz])))[0] == pytest.approx(level_db, abs=0.1)


@pytest.mark.parametrize(
    ("hertz", "level_db"),
    [(0.1, -48), (0.4, -15), (0.8, -6), (4, 0), (20, -5.9), (100, -17.3), (0.05, -66), (400, -29)],
)
def test_the_weighting_of_flutter_is_that_of_the_standards_table(hertz, level_db):
    assert 20 * np.log10(weighting(np.array([float(hertz)])))[0] == pytest.approx(level_db, abs=0.05)


def wobbling(hertz, percent, seconds=12.0, offset=0.0):
    """A tone of 3150 Hz whose frequency deviates by so much."""
    time = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    cycles = 3150 * (1 + offset) * time - 3150 * percent / 100 / (2 * np.pi * hertz) * np.cos(
        2 * np.pi * hertz * time
    )
    return np.sin(2 * np.pi * cycles)


@pytest.mark.parametrize(
    ("hertz", "deviation_percent", "reading_percent"),
    # readings that the maker of a meter gives for its test tones: .315, 3.15 and 31.5 Hz of deviation
    [
        (4, 0.01, 0.00997),
        (4, 0.1, 0.0997),
        (4, 1.0, 0.997),
        (0.8, 0.1, 0.0499),
        (20, 0.1, 0.0506),
        (0.2, 0.1, 0.003),
    ],
)
def test_wow_and_flutter_read_what_the_standard_reads(hertz, deviation_percent, reading_percent):
    seconds = 32.0 if hertz < 1 else 12.0
    found = wow_flutter(*speed_of_tone(wobbling(hertz, deviation_percent, seconds), RATE_HZ))
    assert found.weighted_percent == pytest.approx(reading_percent, rel=0.03)


def test_wow_flutter_and_drift_are_told_apart():
    found = wow_flutter(*speed_of_tone(wobbling(2.0, 0.2, offset=0.01), RATE_HZ))
    assert found.wow_percent == pytest.approx(1.01 * 0.2 / np.sqrt(2), rel=0.05)
    assert found.flutter_percent < 0.01
    assert found.rms_percent == pytest.approx(found.wow_percent, rel=1e-3)
    assert found.drift_percent == pytest.approx(1.0, abs=0.02)
    assert measure_wow_flutter(machine(np.tanh)).weighted_percent < 1e-4
    with pytest.raises(MeasureError, match="quarter of the energy"):
        speed_of_tone(np.random.default_rng(0).standard_normal(6 * RATE_HZ), RATE_HZ)
    with pytest.raises(MeasureError, match="5 s at least"):
        wow_flutter(np.zeros(3000), 1000)


def test_an_alias_of_a_cube_is_where_it_folds_to():
    # the third harmonic of a sine over a sixth of the rate folds; of a cube it has a third of the fundamental
    found = measure_aliasing(machine(lambda rows: rows**3), [8000.0])
    assert found.aliased_db[0] == pytest.approx(20 * np.log10(1 / 3), abs=0.01)
    clean = measure_aliasing(machine(lambda rows: rows + 0.1 * rows**3), [1250.0])
    assert clean.aliased_db[0] < -150
    assert len(measure_aliasing(machine(lambda rows: rows, 16000)).frequency_hz) == 2


@pytest.mark.parametrize("late", [0, 7, -3])
def test_a_machine_that_answers_late_or_upside_down_is_found(late):
    found = measure_arrival(machine(lambda rows: -np.roll(rows, late, axis=1)))
    assert (found.found_samples, found.inverted) == (late, True)


def test_the_figures_of_a_machine_are_in_one_list_without_what_it_does_not_have():
    """A machine of gain -0.5 and a cube, at a rate without room for two tones near 20 kHz."""
    measured = measure_machine(Machine("cube", 16000, 3, lambda rows: -0.5 * (rows - 0.2 * rows**3)))
    figures = {figure.key: figure.value for figure in figures_of(measured)}
    assert figures["gain_1k_db"] == pytest.approx(20 * np.log10(0.5), abs=0.02)
    assert (figures["polarity"], figures["latency_samples"]) == (-1, 3)
    level = 10 ** (figures["mol_1k_db"] / 20)  # the third harmonic is 0.05 A^3 of A - 0.15 A^3
    assert 0.05 * level**2 / (1 - 0.15 * level**2) == pytest.approx(0.03, rel=0.1)
    assert np.isnan(figures["ccif_second_percent"])
    reasons = {figure.key: figure.missing for figure in figures_of(measured)}
    assert (reasons["ccif_second_percent"], reasons["smpte_percent"]) == ("needs 44100 Hz", "")
    assert np.isnan(figures["attack_ms"])
    assert figures["weighted_percent"] < 1e-4
    assert "gain_10000_db" not in figures
    curve = measured.as_json()["dynamics"]
    assert 1000 < len(curve["gain_db"]) == len(curve["time_s"]) <= 5000, "as many as anybody looks at"
    assert curve["time_s"][-1] == pytest.approx(measured.dynamics.time_s[-1], abs=0.01)
    document = json.dumps(measured.as_json(), allow_nan=False)
    assert json.loads(document)["arrival"] == {"declared_samples": 3, "found_samples": 0, "inverted": True}


def test_a_machine_whose_output_is_not_finite_is_refused():
    with pytest.raises(MeasureError, match="NaN or infinity"):
        measure_arrival(machine(lambda rows: rows * np.inf))


def test_a_machine_that_looks_ahead_does_not_see_a_tone_end():
    taps = np.array([0.2, 0.0, 1.0, 0.0, -0.3])

    def play(rows):  # its latency taken out: the last two samples look at what is not there
        return np.stack([np.convolve(row, taps)[2 : 2 + len(row)] for row in rows])

    ahead = Machine("ahead", RATE_HZ, 2, play)
    assert measure_aliasing(ahead).aliased_db.max() < -150
    assert np.nanmax(measure_distortion(ahead).thd_percent) < 1e-5
    assert measure_intermodulation(ahead).smpte_percent < 1e-6


def test_the_virtual_tape_gives_back_what_it_was_made_with():
    tape = machine_of_device(device("tape", wow_flutter=0.1, hiss_db=-60.0), "tape", 16000, {})
    assert measure_wow_flutter(tape).rms_percent == pytest.approx(0.1, rel=0.15)
    assert measure_noise(tape).level_db == pytest.approx(-60, abs=0.2)
