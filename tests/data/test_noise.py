"""Noise, told from what still decays."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal

from tapezoo.data.noise import noise_finding

from .signals import RATE

Float = NDArray[np.float64]


def gated(rest_s: float) -> Float:
    """Six seconds of noise with a rest in every two."""
    dry = 0.1 * np.random.default_rng(0).standard_normal(6 * RATE)
    dry[np.arange(len(dry)) % (2 * RATE) >= (2 - rest_s) * RATE] = 0
    return dry


def reverb(dry: Float, rt60_s: float) -> Float:
    """Dry with an exponentially decaying tail."""
    length = round(1.2 * rt60_s * RATE)
    tail = np.random.default_rng(1).standard_normal(length) * 10 ** (-3 * np.arange(length) / RATE / rt60_s)
    return dry + 0.5 * signal.oaconvolve(dry, tail / np.sqrt(np.sum(tail**2)))[: len(dry)]


def hiss(samples: int, level_db: float) -> Float:
    return 10 ** (level_db / 20) * np.random.default_rng(2).standard_normal(samples)


def said(dry: Float, wet: Float) -> str:
    return str(noise_finding("wet", dry.astype(np.float32), wet.astype(np.float32), RATE))


@pytest.mark.parametrize("rest_s", [0.45, 1.0])
@pytest.mark.parametrize("rt60_s", [1.0, 2.0, 5.0])
def test_the_tail_of_a_reverb_is_not_taken_for_noise(rt60_s: float, rest_s: float) -> None:
    dry = gated(rest_s)
    text = said(dry, reverb(dry, rt60_s))
    assert "cannot be measured" in text
    assert float(text.split("decays by ")[1].split(" dB/s")[0]) == pytest.approx(60 / rt60_s, rel=0.1)
    assert "best reachable" not in text


@pytest.mark.parametrize("rest_s", [0.45, 1.0])
@pytest.mark.parametrize("level_db", [-70.0, -40.0])
def test_steady_noise_is_measured(level_db: float, rest_s: float) -> None:
    dry = gated(rest_s)
    text = said(dry, 2 * dry + hiss(len(dry), level_db))
    assert float(text.split("noise floor ")[1].split(" dBFS")[0]) == pytest.approx(level_db, abs=0.2)


def test_noise_below_a_tail_is_measured_where_the_tail_has_gone() -> None:
    dry = gated(1.0)
    text = said(dry, reverb(dry, 1.0) + hiss(len(dry), -60))
    assert "noise floor -60.0 dBFS" in text


def test_noise_before_the_programme_begins_is_measured_although_tails_never_end() -> None:
    dry = gated(0.6)
    dry[: 2 * RATE] = 0
    text = said(dry, reverb(dry, 2.0) + hiss(len(dry), -60))
    assert "noise floor -60" in text


def test_a_bias_that_recovers_is_not_taken_for_noise() -> None:
    dry = gated(1.0)
    since = np.maximum(np.arange(len(dry)) % (2 * RATE) - RATE, 0) / RATE
    recovering = np.where(dry == 0, 0.3 - 0.1 * np.exp(-since / 0.4), 0.2)
    assert "cannot be measured" in said(dry, dry + recovering)


def test_a_device_at_digital_silence_has_no_noise() -> None:
    dry = gated(1.0)
    assert "wet is digital silence where dry is silent" in said(dry, np.tanh(3 * dry))


def test_programme_without_rests_tells_nothing() -> None:
    dry = gated(0.3)
    assert said(dry, dry) == "None"
