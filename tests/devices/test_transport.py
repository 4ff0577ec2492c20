"""Wow and flutter: the trajectory's statistics and lines, and that the audio really follows it."""

import numpy as np
import pytest
from scipy import signal as scipy_signal

from tapezoo.devices.transport import read_delayed, replay_delay

RATE = 44_100


def test_trajectory_has_the_wanted_speed_deviation():
    deviation = [np.std(np.diff(replay_delay(20 * RATE, RATE, 0.1, seed))) for seed in range(4)]
    assert np.mean(deviation) == pytest.approx(0.1e-2, rel=0.05)


def test_trajectory_stays_around_zero_and_scales_with_the_deviation():
    small, large = replay_delay(20 * RATE, RATE, 0.05, 3), replay_delay(20 * RATE, RATE, 0.5, 3)
    np.testing.assert_allclose(large, 10 * small, rtol=1e-9, atol=1e-9)
    assert abs(small.mean()) < 1.0
    assert 1.0 < small.std() < 15.0


@pytest.mark.parametrize("line_hz", [0.5, 2.7, 8.0])
def test_speed_has_wow_and_flutter_lines(line_hz):
    speed = np.diff(replay_delay(40 * RATE, RATE, 0.1, 0))[::441]
    frequency_hz, power = scipy_signal.periodogram(speed - speed.mean(), fs=100.0, window="hann")
    near = (frequency_hz > 0.7 * line_hz) & (frequency_hz < 1.4 * line_hz)
    peak_hz = frequency_hz[near][np.argmax(power[near])]
    assert peak_hz == pytest.approx(line_hz, abs=0.05)
    assert power[near].max() > 20 * np.median(power[near])


def test_instantaneous_delay_of_the_audio_is_the_trajectory():
    samples = 4 * RATE
    delay = replay_delay(samples, RATE, 0.2, 1)
    tone_hz = 3000.0
    time = np.arange(samples) / RATE
    output = read_delayed(np.sin(2 * np.pi * tone_hz * time), delay)
    phase = np.unwrap(np.angle(scipy_signal.hilbert(output))) + np.pi / 2
    measured = (2 * np.pi * tone_hz * time - phase) * RATE / (2 * np.pi * tone_hz)
    inner = slice(2000, -2000)  # the Hilbert transform needs both sides
    turns = np.round(np.mean(measured[inner] - delay[inner]) * tone_hz / RATE)  # phase knows no whole turns
    np.testing.assert_allclose(measured[inner] - turns * RATE / tone_hz, delay[inner], atol=2e-3)


@pytest.mark.parametrize("tone_hz", [100.0, 5000.0, 10_000.0])
def test_reading_between_samples_is_exact_to_90_db(tone_hz):
    delay = np.linspace(-3.7, 5.2, 20_000)
    omega = 2 * np.pi * tone_hz / RATE
    output = read_delayed(np.sin(omega * np.arange(20_000)), delay)
    error = output - np.sin(omega * (np.arange(20_000) - delay))
    assert 10 * np.log10(np.mean(error[100:-100] ** 2) * 2) < -90


def test_whole_samples_are_read_unchanged_and_beyond_the_ends_is_silence():
    signal = np.random.default_rng(0).normal(size=500)
    output = read_delayed(signal, np.full(500, 7.0))
    np.testing.assert_allclose(output[7:], signal[:-7], atol=1e-12)
    np.testing.assert_allclose(output[:7], 0.0, atol=1e-12)
