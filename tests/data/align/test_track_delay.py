"""Wandering delays from the music alone, against transports whose delay is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import signal

from tapezoo.data.align.timing import measure_timing
from tapezoo.data.align.track import track_delay
from tapezoo.data.align.track_curve import inverse_near_diagonal
from tapezoo.devices.transport import read_delayed, replay_delay
from tests.data.signals import RATE, amplifier, plucked_notes

BEGIN, END = RATE // 4, -RATE * 6 // 10  # plucked notes end half a second before the end


def machine(dry: np.ndarray, delay: np.ndarray, seed: int = 0) -> np.ndarray:
    """Saturation, a low-pass, a transport and hiss."""
    recorded = signal.lfilter(*signal.butter(2, 9000, fs=RATE), np.tanh(1.5 * dry))
    hiss = 10 ** (-66 / 20) * np.random.default_rng(seed).standard_normal(len(dry))
    return read_delayed(recorded, delay) + hiss


def deviation(found: np.ndarray, truth: np.ndarray) -> float:
    """Root mean square of the difference, without its mean: a device's phase is a constant delay too."""
    return float(np.std((found - truth)[BEGIN:END]))


@pytest.mark.parametrize("percent", [0.02, 0.2])
def test_the_delay_of_a_known_transport_is_found_to_a_tenth_of_a_sample(percent: float) -> None:
    dry = plucked_notes(3.5)
    truth = 700 + replay_delay(len(dry), RATE, percent, seed=3)
    found = track_delay(dry, machine(dry, truth), RATE, 700)
    assert found is not None
    assert deviation(found.at(0, len(dry)), truth) < 0.1
    assert np.median(found.confidence) > 0.9


@pytest.mark.parametrize(
    "device", [amplifier, lambda dry: signal.lfilter(*signal.butter(4, 3000, fs=RATE), dry)]
)
def test_what_stands_still_has_no_trajectory(device: Callable[[np.ndarray], np.ndarray]) -> None:
    dry = plucked_notes(2.0)
    hiss = 10 ** (-66 / 20) * np.random.default_rng(1).standard_normal(len(dry))
    assert track_delay(dry, device(dry) + hiss, RATE, 0) is None


def test_a_sweep_through_a_filter_is_no_wander() -> None:
    seconds = 3.0
    dry = 0.3 * signal.chirp(np.arange(round(seconds * RATE)) / RATE, 20, seconds, 15000, "logarithmic")
    phase = signal.lfilter(*signal.butter(2, 100, "high", fs=RATE), dry)
    bass = signal.lfilter(
        [0.999**20, -1.0], [1.0, -(0.999**20)], phase
    )  # an all-pass: late in the bass alone
    assert track_delay(dry, machine(bass, np.full(len(dry), 500.0)), RATE, 500) is None


def test_tones_whose_phase_follows_their_level_are_no_wander_and_no_lost_samples() -> None:
    """As in the test signals of an excitation: between music, tones that a tape plays later the louder they are."""
    music, pause = plucked_notes(2.5), np.zeros(RATE // 10)
    time = np.arange(round(0.4 * RATE)) / RATE
    fade = np.minimum(1, np.minimum(time, time[::-1]) / 0.01)

    def tones(late_samples: float) -> np.ndarray:
        late = time - late_samples / RATE
        bass = 0.9 * fade * np.sin(2 * np.pi * 100 * late)
        both = 0.45 * fade * (np.sin(2 * np.pi * 60 * late) + np.sin(2 * np.pi * 7000 * late))
        return np.concatenate([bass, pause, both, pause])

    dry, heard = (np.concatenate([music, pause, tones(late), music]) for late in (0.0, 8.0))
    truth = 700 + replay_delay(len(dry), RATE, 0.02, seed=3)
    timing = measure_timing(dry[None], machine(heard, truth)[None], RATE).channels[0]
    assert timing.jumps == ()
    assert timing.wander is not None
    played = np.concatenate([music != 0, np.zeros(len(dry) - 2 * len(music), bool), music != 0])
    found = timing.wander.at(0, len(dry))
    left = (found - truth)[played]
    assert np.std(left[BEGIN:END]) < 0.3
    bass = slice(len(music) + len(pause), len(music) + len(pause) + len(time))
    assert np.abs((found - truth)[bass] - left.mean()).max() < 2.5, (
        "a third of what the tone is late by its level"
    )


def test_the_inverse_near_the_diagonal_is_that_of_the_whole_matrix() -> None:
    upper = np.triu(np.tril(np.random.default_rng(0).standard_normal((9, 9)), 3)) + 3 * np.eye(9)
    banded, expected = np.zeros((4, 9)), np.zeros((4, 9))
    inverse = np.linalg.inv(upper.T @ upper)
    for offset in range(4):
        banded[3 - offset, offset:] = np.diag(upper, offset)
        expected[3 - offset, offset:] = np.diag(inverse, offset)
    np.testing.assert_allclose(inverse_near_diagonal(banded), expected, atol=1e-12)
