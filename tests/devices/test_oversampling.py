"""Running at a higher rate: no delay, flat to 20 kHz, no seams, no images."""

import numpy as np
import pytest

from tapezoo.devices.oversampling import lowpass, run_oversampled


def unchanged(block, state):
    return block, state


@pytest.mark.parametrize("samples", [2000, 7680, 7681, 20_000])
def test_nothing_done_at_the_high_rate_changes_nothing_below_20_khz(samples):
    spectrum = np.fft.rfft(np.random.default_rng(0).normal(size=samples))
    spectrum[np.fft.rfftfreq(samples, 1 / 44_100) > 19_900] = 0
    signal = np.fft.irfft(spectrum, samples) * np.hanning(samples)
    np.testing.assert_allclose(run_oversampled(signal, unchanged, None, 8), signal, atol=3e-4)


def test_blocks_leave_no_seams():
    def counted(block, state):
        return np.tanh(2 * block), state + block.size

    signal = np.random.default_rng(1).normal(0, 0.3, 30_000)
    computed = run_oversampled(signal, counted, 0, 4)
    # the same in one piece, by direct convolution
    taps = lowpass(4)
    reach = taps.size // 2
    stuffed = np.zeros((signal.size + 200) * 4)
    stuffed[: 4 * signal.size : 4] = 4 * signal
    high = np.tanh(2 * np.convolve(stuffed, taps)[reach : reach + stuffed.size])
    expected = np.convolve(high, taps)[reach : reach + 4 * signal.size : 4]
    np.testing.assert_allclose(computed, expected, atol=1e-12)


def test_lowpass_passes_20_khz_and_stops_its_image():
    taps = lowpass(8)
    response = np.abs(np.fft.rfft(taps, 1 << 16))
    frequency_hz = np.fft.rfftfreq(1 << 16, 1 / 352_800)
    assert np.all(np.abs(20 * np.log10(response[frequency_hz < 19_950])) < 0.01)
    assert 20 * np.log10(response[frequency_hz > 44_100 - 19_950].max()) < -90
