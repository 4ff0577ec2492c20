"""Features of a signal against closed forms and numpy, and over any split into blocks."""

import math

import numpy as np
import pytest
import torch
from scipy.signal import sosfreqz
from torch import Tensor

from tapezoo.layers.features import FEATURES, Feature, feature, sliding_max, sliding_sum
from tapezoo.loudness import k_weighting

RATE = 44100
BIN_HZ = RATE / 2048  # whole periods in the window; others ripple
LENGTH = 12000  # a quarter of a second: all windows are full, and the filters of loudness have settled


def sine(frequency_hz: float, amplitude: float = 0.5) -> Tensor:
    return amplitude * torch.sin(
        2 * math.pi * frequency_hz / RATE * torch.arange(LENGTH, dtype=torch.float64)
    )


def measured(name: str, signal: Tensor, rate: int = RATE) -> Tensor:
    """The values in the feature's unit, (samples,)."""
    measure = feature(name, rate)
    return measure.measure(signal.float().reshape(1, 1, -1), at_rest(measure))[0][0, 0]


def at_rest(measure: Feature) -> dict[str, Tensor]:
    return {name: rest.unsqueeze(0) for name, rest in measure.rest().items()}


@pytest.mark.parametrize("frequency_hz", [5 * BIN_HZ, 46 * BIN_HZ, 372 * BIN_HZ])
def test_the_loudness_of_a_sine_is_its_power_behind_the_weighting(frequency_hz):
    _, response = sosfreqz(k_weighting(RATE), [frequency_hz], fs=RATE)
    expected = -0.691 + 20 * math.log10(0.5 / math.sqrt(2) * abs(response[0]))
    assert float(measured("loudness", sine(frequency_hz))[-1]) == pytest.approx(expected, abs=0.02)


def test_a_sine_of_997_hz_at_full_scale_has_minus_three_lufs():
    """The calibration of BS.1770-4, which gives it at 48 kHz."""
    signal = torch.sin(2 * math.pi * 997 / 48000 * torch.arange(LENGTH, dtype=torch.float64))
    assert float(measured("loudness", signal, 48000)[-1]) == pytest.approx(-3.01, abs=0.05)


def test_the_crest_factor_of_a_sine_is_three_db_and_of_a_square_none():
    wave = sine(500.0)
    assert float(measured("crest", wave)[-1]) == pytest.approx(3.01, abs=0.05)
    assert float(measured("crest", 0.5 * wave.sign() + 0.25 * (wave == 0))[-1]) == pytest.approx(
        0.0, abs=0.01
    )


def test_the_crest_factor_of_one_click_in_the_window_is_the_windows_length():
    click = torch.zeros(LENGTH)
    click[-100] = 0.5
    window = feature("crest", RATE).window_samples
    assert window == 2048
    assert float(measured("crest", click)[-1]) == pytest.approx(10 * math.log10(window), abs=0.01)


@pytest.mark.parametrize("frequency_hz", [9 * BIN_HZ, 46 * BIN_HZ, 232 * BIN_HZ, 697 * BIN_HZ])
def test_the_centroid_of_a_sine_is_its_frequency(frequency_hz):
    assert float(measured("centroid", sine(frequency_hz))[-1]) == pytest.approx(frequency_hz, rel=0.01)


def test_the_centroid_of_two_sines_is_their_mean_by_power():
    both = sine(1000.0, 0.4) + sine(6000.0, 0.2)
    expected = (4 * 1000 + 6000) / 5
    assert float(measured("centroid", both)[-1]) == pytest.approx(expected, rel=0.02)


def test_the_centroid_of_noise_is_that_of_its_periodogram():
    noise = torch.randn(LENGTH, generator=torch.Generator().manual_seed(0))
    power = np.abs(np.fft.rfft(noise[-2048:].numpy() * np.hanning(2048))) ** 2
    expected = float(np.sum(np.fft.rfftfreq(2048, 1 / RATE) * power) / power.sum())
    assert float(measured("centroid", noise)[-1]) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("name", FEATURES)
def test_blocks_of_any_length_give_the_same_values(name):
    measure = feature(name, RATE)
    signal = torch.randn(2, 1, 3000, generator=torch.Generator().manual_seed(0))
    start = {key: value.expand(2, *value.shape[1:]) for key, value in at_rest(measure).items()}
    whole, _ = measure.measure(signal, start)
    parts, state = [], start
    for block in signal.split([1, 7, 64, 333, 595, 1, 1999], dim=-1):
        part, state = measure.measure(block, state)
        parts.append(part)
    torch.testing.assert_close(torch.cat(parts, dim=-1), whole, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("name", FEATURES)
def test_positions_are_within_a_controls_range_and_silence_is_at_the_lowest(name):
    measure = feature(name, RATE)
    loud = torch.cat([torch.zeros(2048), sine(15000.0, 4.0), torch.zeros(8000)]).float()
    value, _ = measure.measure(loud.reshape(1, 1, -1), at_rest(measure))
    position = measure.position(value)[0, 0]
    assert float(position.min()) >= 0.0
    assert float(position.max()) <= 1.0
    assert float(position[1000]) == pytest.approx(0.0, abs=1e-6)
    assert float(position[-1]) == pytest.approx(0.0, abs=1e-3)


def test_the_positions_of_some_values():
    ends = {
        "loudness": (-60.0, -30.0, 0.0),
        "crest": (0.0, 12.0, 24.0),
        "centroid": (20.0, 632.4555, 20000.0),
    }
    for name, values in ends.items():
        found = feature(name, RATE).position(torch.tensor(values))
        torch.testing.assert_close(found, torch.tensor([0.0, 0.5, 1.0]))


def test_sums_and_maxima_slide():
    signal = torch.randn(40, generator=torch.Generator().manual_seed(0))
    windows = signal.unfold(0, 8, 1)
    torch.testing.assert_close(sliding_sum(signal, 8), windows.sum(-1))
    assert torch.equal(sliding_max(signal, 8), windows.amax(-1))


def test_a_name_that_no_feature_has_is_refused():
    with pytest.raises(ValueError, match="no feature 'pitch'; there are loudness, crest, centroid"):
        feature("pitch", RATE)
