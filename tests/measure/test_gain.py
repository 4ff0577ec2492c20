"""Gains over frequency are those of the filter that made them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import butter, freqz, lfilter, sosfilt

from tapezoo.measure.gain import gain_between, small_signal_gain
from tapezoo.models.fir import FIRNet

RATE = 8000
TAPS = np.array([0.8, 0.0, 0.3, 0.1, 0.0, -0.1, 0.05, 0.02])


def true_db(frequency_hz: np.ndarray) -> np.ndarray:
    return 20 * np.log10(np.abs(freqz(TAPS, 1, frequency_hz, fs=RATE)[1]))


def test_the_gain_of_a_filter_is_measured_on_noise_of_any_colour() -> None:
    coloured = [
        lfilter([1], [1, -0.9], np.random.default_rng(seed).standard_normal(40_000)) for seed in (0, 1)
    ]
    found = gain_between(coloured, [lfilter(TAPS, 1, one) for one in coloured], RATE)
    assert found.frequency_hz[0] < 30
    assert found.frequency_hz[-1] > 3700
    np.testing.assert_allclose(found.gain_db, true_db(found.frequency_hz), atol=0.3)


def test_bands_without_input_are_left_out() -> None:
    time_s = np.arange(16_000) / RATE
    tones = sum(np.sin(2 * np.pi * at * time_s) for at in (500, 1000))
    found = gain_between([tones], [0.5 * tones], RATE)
    assert len(found.frequency_hz) < 40
    np.testing.assert_allclose(found.gain_db, 20 * np.log10(0.5), atol=1e-6)


def test_bands_whose_output_is_mostly_something_else_are_left_out() -> None:
    input, other = np.random.default_rng(0).standard_normal((2, 40_000))
    foreign = sosfilt(butter(8, 1000, "highpass", fs=RATE, output="sos"), 5 * other)
    for per_octave in (3, 12):
        found = gain_between([input], [0.5 * input + foreign], RATE, per_octave)
        assert 600 < found.frequency_hz[-1] < 1000
        clean = found.frequency_hz < 500
        assert clean.sum() > 2 * per_octave
        np.testing.assert_allclose(found.gain_db[clean], 20 * np.log10(0.5), atol=0.2)


def test_a_net_is_measured_where_it_is_linear() -> None:
    net = FIRNet(0, taps=8)
    with torch.no_grad():
        net.taps.copy_(torch.from_numpy(TAPS[::-1].copy()))
    found = small_signal_gain(net, RATE, [])
    np.testing.assert_allclose(found.gain_db, true_db(found.frequency_hz), atol=0.5)
    assert found.gain_db.max() == pytest.approx(true_db(found.frequency_hz).max(), abs=0.2)
