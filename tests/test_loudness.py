"""Loudness against the recommendation's tables and calibration."""

from __future__ import annotations

import numpy as np
import pytest

from tapezoo.loudness import k_weighting, loudness, loudness_unit

RATE = 16000
TIME_S = np.arange(2 * RATE) / RATE


def tone(frequency_hz: float, peak: float = 0.5) -> np.ndarray:
    return peak * np.sin(2 * np.pi * frequency_hz * TIME_S)


def test_the_weighting_is_the_recommendations() -> None:
    """ITU-R BS.1770-4, tables 1 and 2."""
    shelf, high_pass = k_weighting(48000)
    np.testing.assert_allclose(
        shelf,
        [1.53512485958697, -2.69169618940638, 1.19839281085285, 1, -1.69065929318241, 0.73248077421585],
        rtol=0,
        atol=1e-8,
    )
    np.testing.assert_allclose(
        high_pass, [1, -2, 1, 1, -1.99004745483398, 0.99007225036621], rtol=0, atol=1e-8
    )


@pytest.mark.parametrize("rate", [RATE, 44100, 48000])
def test_a_full_scale_sine_of_997_hz_has_minus_3_lufs(rate: int) -> None:
    """The recommendation's own calibration: -3.01 LKFS in one channel."""
    sine = np.sin(2 * np.pi * 997 * np.arange(2 * rate) / rate)
    assert loudness(sine, rate) == pytest.approx(-3.01, abs=0.05)
    assert loudness(0.1 * sine, rate) == pytest.approx(-23.01, abs=0.05)


def test_pauses_and_quiet_passages_are_gated() -> None:
    loud = tone(997)
    quiet = 10 ** (-30 / 20) * loud
    alone = loudness(loud, RATE)
    assert loudness(np.concatenate((loud, 0 * loud, quiet)), RATE) == pytest.approx(alone, abs=0.5)
    assert loudness(np.concatenate((loud, 0.5 * loud)), RATE) < alone - 1  # 6 dB less is not gated
    assert loudness(np.zeros(RATE), RATE) == -np.inf


def test_short_sounds_have_an_rms_level() -> None:
    assert loudness(tone(1000)[:1600], RATE) == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=1e-6)
    assert loudness_unit(6400, RATE) == "LUFS"
    assert loudness_unit(6399, RATE) == "dB"
