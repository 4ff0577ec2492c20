"""Equalisation, losses and recording depth against their formulas; the FIRs against both."""

import numpy as np
import pytest
from scipy import signal as scipy_signal
from scipy.integrate import quad

from tapezoo.devices.bias import bias_ratio, head_field, recording_response, sensitivity
from tapezoo.devices.equalisation import (
    record_bass,
    record_treble,
    replay_bass,
    replay_treble,
    treble_alignment,
)
from tapezoo.devices.fir import minimum_phase_fir
from tapezoo.devices.playback_losses import Transport, replay_loss

RATE = 44_100
TRANSPORT = Transport(speed_m_s=0.381, spacing_m=1.5e-6, thickness_m=12e-6, gap_m=3e-6)
POINTS_HZ = np.array([20.0, 50.0, 315.0, 1000.0, 3150.0, 10_000.0, 16_000.0, 20_000.0])


def gain_of(process, samples=1 << 17):
    impulse = np.zeros(samples)
    impulse[0] = 1.0
    spectrum = np.fft.rfft(process(impulse))
    return np.interp(POINTS_HZ, np.fft.rfftfreq(samples, 1 / RATE), np.abs(spectrum))


def test_losses_follow_kadis_and_bertram():
    wavelength_m = 0.381 / POINTS_HZ
    spacing = np.exp(-2 * np.pi * 1.5e-6 / wavelength_m)
    thickness = wavelength_m / (2 * np.pi * 12e-6) * (1 - np.exp(-2 * np.pi * 12e-6 / wavelength_m))
    gap = np.sin(np.pi * 3e-6 / wavelength_m) / (np.pi * 3e-6 / wavelength_m)
    np.testing.assert_allclose(
        replay_loss(POINTS_HZ, TRANSPORT), spacing * thickness * np.abs(gap), rtol=1e-9
    )


def test_losses_at_one_wavelength_of_distance_are_the_textbook_54_6_db():
    transport = Transport(speed_m_s=0.19, spacing_m=19e-6, thickness_m=1e-12, gap_m=0.0)
    loss = replay_loss(np.array([0.0, 10_000.0]), transport)
    np.testing.assert_allclose(20 * np.log10(loss), [0.0, -54.575], atol=1e-3)


def test_losses_have_the_gap_null_where_the_wavelength_is_the_gap():
    assert replay_loss(np.array([0.381 / 3e-6]), TRANSPORT)[0] < 1e-12


@pytest.mark.parametrize("rate", [22_050, 44_100, 96_000])
def test_minimum_phase_fir_has_the_wanted_magnitude_and_no_delay(rate):
    def wanted(frequency_hz):
        return replay_loss(frequency_hz, TRANSPORT) * replay_treble(frequency_hz)

    taps = minimum_phase_fir(wanted, rate, 192)
    frequency_hz, response = scipy_signal.freqz(taps, worN=np.linspace(20, 0.49 * rate, 500), fs=rate)
    np.testing.assert_allclose(20 * np.log10(np.abs(response) / wanted(frequency_hz)), 0.0, atol=0.05)
    assert np.argmax(np.abs(taps)) == 0


def test_minimum_phase_fir_keeps_every_zero_inside_the_unit_circle():
    taps = minimum_phase_fir(lambda hz: replay_loss(hz, TRANSPORT), RATE, 48)
    assert np.abs(np.roots(taps)).max() < 1.0


def test_replay_equalisation_has_the_nab_time_constants():
    omega = 2 * np.pi * POINTS_HZ
    np.testing.assert_allclose(replay_treble(POINTS_HZ), np.sqrt(1 + (omega * 50e-6) ** 2))
    bass = gain_of(lambda x: replay_bass(x, RATE))
    expected = omega * 3180e-6 / np.sqrt(1 + (omega * 3180e-6) ** 2)
    np.testing.assert_allclose(bass[:6], expected[:6], rtol=2e-3)
    assert gain_of(lambda x: replay_bass(x, RATE))[1] == pytest.approx(
        np.sqrt(0.5), rel=2e-3
    )  # 50 Hz is -3 dB


def test_record_and_replay_bass_cancel_down_to_5_hz():
    noise = np.random.default_rng(0).normal(size=RATE)
    through = replay_bass(record_bass(noise, RATE), RATE)
    corner = 2 * np.pi * 5.0
    b, a = scipy_signal.bilinear([1.0, 0.0], [1.0, corner], fs=RATE)
    np.testing.assert_allclose(through, scipy_signal.lfilter(b, a, noise), atol=1e-9)


def test_treble_alignment_makes_10_khz_as_loud_as_1_khz():
    transport = Transport(speed_m_s=0.1905, spacing_m=1.5e-6, thickness_m=12e-6, gap_m=3e-6)

    def machine(hz):
        return replay_loss(hz, transport) * replay_treble(hz) * recording_response(hz, 1.0, transport)

    time_constant_s = treble_alignment(machine)
    aligned = machine(np.array([1e3, 1e4])) * record_treble(np.array([1e3, 1e4]), time_constant_s)
    assert time_constant_s > 1e-6
    assert aligned[1] == pytest.approx(aligned[0], rel=1e-9)


@pytest.mark.parametrize("ratio", [0.5, 1.0, 1.6])
def test_recording_response_is_the_integral_over_the_depth(ratio):
    def layer(depth_m, k):
        field = ratio * head_field(np.array([depth_m]), TRANSPORT)
        return float(sensitivity(field)[0]) * np.exp(-k * depth_m)

    best = quad(
        lambda y: float(sensitivity(head_field(np.array([y]), TRANSPORT))[0]), 0, 12e-6, epsabs=1e-16
    )[0]
    for frequency_hz, computed in zip(
        POINTS_HZ, recording_response(POINTS_HZ, ratio, TRANSPORT), strict=True
    ):
        k = 2 * np.pi * frequency_hz / 0.381
        recorded = quad(layer, 0, 12e-6, args=(k,), epsabs=1e-16)[0]
        uniform = (1 - np.exp(-k * 12e-6)) / k
        assert computed == pytest.approx(recorded / uniform / (best / 12e-6), rel=1e-7)


def test_bias_has_an_optimum_and_costs_treble_above_it():
    levels_db = np.arange(-6.0, 6.1, 1.0)
    response = np.array(
        [recording_response(np.array([1e3, 1e4]), bias_ratio(db), TRANSPORT) for db in levels_db]
    )
    assert abs(levels_db[np.argmax(response[:, 0])]) <= 1.0
    assert np.all(np.diff(response[:, 1] / response[:, 0]) < 0)
