"""The error of a model by frequency, and its delay by time, of signals made to have them."""

import numpy as np
import pytest
import scipy.signal

from tapezoo.measure.error_spectrum import SILENT_DB, measure_error_spectrum
from tapezoo.measure.lateness import measure_lateness
from tapezoo.measure.third_octaves import third_octaves
from tapezoo.report.error_spectrum import draw_error_spectrum
from tapezoo.report.lateness import draw_lateness

RATE_HZ = 44100
NOISE = 0.1 * np.random.default_rng(0).standard_normal(4 * RATE_HZ)


def test_third_octaves_add_up_to_all_of_the_power_and_are_where_iec_61260_puts_them():
    hertz = np.arange(24000.0)
    middle_hz, power = third_octaves(np.ones_like(hertz), hertz, -13, 13)
    np.testing.assert_allclose(middle_hz[[0, 13, 23, 26]], [50.1, 1000, 10000, 19953], rtol=1e-3)
    np.testing.assert_allclose(power, middle_hz * (10**0.05 - 10**-0.05), rtol=0.05, atol=1)
    assert len(third_octaves(np.ones(4001), np.arange(4001.0), -13, 13)[0]) == 19  # none above 4 kHz / 1.12


def test_an_error_of_one_sine_stands_in_its_band_at_its_level_and_nowhere_else():
    tone = 0.01 * np.sqrt(2) * np.sin(2 * np.pi * 1000 / RATE_HZ * np.arange(len(NOISE)))
    found = measure_error_spectrum([NOISE], [NOISE + tone], [NOISE], RATE_HZ)
    at = int(np.argmin(np.abs(found.frequency_hz - 1000)))
    assert found.error_db[at] == pytest.approx(-40, abs=0.05)
    assert np.delete(found.error_db, at).max() < -110
    expected = 10 * np.log10(0.01 * found.frequency_hz * (10**0.05 - 10**-0.05) / (RATE_HZ / 2))
    np.testing.assert_allclose(found.target_db[10:], expected[10:], atol=1.0)


def test_the_quietest_moments_are_the_pauses_and_digital_silence_is_none():
    hiss = 1e-3 * np.random.default_rng(1).standard_normal(RATE_HZ)
    split = [np.concatenate([NOISE, hiss, np.zeros(RATE_HZ)])]
    found = measure_error_spectrum([NOISE], [NOISE], split, RATE_HZ)
    assert (found.error_db == SILENT_DB).all()
    assert found.quiet_db is not None
    np.testing.assert_allclose((found.target_db - found.quiet_db)[10:], 40, atol=1.5)
    assert measure_error_spectrum([NOISE], [NOISE], [np.zeros(RATE_HZ)], RATE_HZ).quiet_db is None


def test_a_wandering_delay_is_followed_over_time():
    time = np.arange(len(NOISE))
    smooth = scipy.signal.lfilter([1.0], [1.0, -0.9], NOISE)  # bass, as music has
    wander = 2.5 + 3.0 * np.sin(2 * np.pi * 0.5 * time / RATE_HZ)
    source = scipy.signal.resample_poly(smooth, 8, 1)
    output = np.interp(8 * (time - wander), np.arange(len(source)), source)
    found = measure_lateness(smooth, output, RATE_HZ, start_s=10.0)
    inside = slice(1, -1)
    expected = np.interp(found.time_s - 10.0, time / RATE_HZ, wander)
    np.testing.assert_allclose(found.late_samples[inside], expected[inside], atol=0.1)
    assert found.time_s[0] == pytest.approx(10.05, abs=1e-3)


@pytest.mark.parametrize("samples", [0, 1, 3, 100])
def test_a_handful_of_samples_or_silence_have_no_delay_and_make_pictures_all_the_same(samples):
    silence = np.zeros(samples)
    found = measure_lateness(silence, silence, RATE_HZ)
    assert np.isnan(found.late_samples).all()
    draw_lateness({"nothing": found}, "none")
    spectrum = measure_error_spectrum([NOISE[:samples]], [silence], [silence], RATE_HZ)
    draw_error_spectrum(spectrum, "short")


def test_where_the_target_pauses_there_is_no_delay():
    paused = NOISE.copy()
    paused[RATE_HZ : 2 * RATE_HZ] *= 1e-4
    late = measure_lateness(paused, np.roll(paused, 3), RATE_HZ)
    pause = (late.time_s > 1.1) & (late.time_s < 1.9)
    assert np.isnan(late.late_samples[pause]).all()
    np.testing.assert_allclose(late.late_samples[(late.time_s < 0.9) | (late.time_s > 2.1)], 3, atol=0.02)
