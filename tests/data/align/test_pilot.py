"""Pilots: told from music, followed through a transport whose delay is known, and found where they leak."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from tapezoo.data.align.pilot import PulseTrain, Tone, detect_pilot
from tapezoo.data.align.track_pilot import crosstalk_db, track_pilot
from tapezoo.data.errors import DataError
from tapezoo.devices.transport import read_delayed, replay_delay
from tests.data.signals import RATE, noise_bursts, plucked_notes

SECONDS = 4


def pulses(period: int = 441) -> np.ndarray:
    """Band-limited pulses from half a second on, as akai4000d has them."""
    train = np.zeros(SECONDS * RATE)
    train[RATE // 2 + 5 : -RATE // 4 : period] = 1
    return 0.4 * signal.lfilter(signal.firwin(31, 9000, fs=RATE), 1, train)


def tone() -> np.ndarray:
    sine = 0.1 * np.sin(2 * np.pi * 5003 * np.arange(SECONDS * RATE) / RATE)
    sine[: RATE // 2] = sine[-RATE // 4 :] = 0
    return sine


def recorded(dry: np.ndarray, delay: np.ndarray) -> np.ndarray:
    """A machine with a low-pass, hum and hiss."""
    time = np.arange(len(dry)) / RATE
    hum = 0.01 * np.sin(2 * np.pi * 50 * time) + 1e-3 * np.random.default_rng(0).standard_normal(len(dry))
    return read_delayed(signal.lfilter(*signal.butter(1, 8000, fs=RATE), dry), delay) + hum


@pytest.mark.parametrize("percent", [0.1, 0.5])
@pytest.mark.parametrize("pilot", [pulses, tone])
def test_the_delay_of_a_known_transport_is_followed(pilot: object, percent: float) -> None:
    dry = pilot()
    truth = 7000.3 + replay_delay(len(dry), RATE, percent, seed=2)
    kind = detect_pilot(dry, RATE)
    found = track_pilot(dry, recorded(dry, truth), RATE, kind, round(truth[RATE // 2 + 7000]))
    inside = slice(RATE // 2 + 8000, -RATE // 4)
    error = (found.at(0, len(dry)) - truth)[inside]
    assert np.std(error) < 0.05
    assert abs(np.mean(error)) < 2  # the low-pass has a delay of its own


def test_a_pilot_is_told_from_music_also_after_the_machine() -> None:
    wander = 7000 + replay_delay(SECONDS * RATE, RATE, 0.2, seed=2)
    for audio in (pulses(), recorded(pulses(), wander)):
        found = detect_pilot(audio, RATE)
        assert isinstance(found, PulseTrain)
        assert found.period_samples == pytest.approx(441, abs=0.3)
    for audio in (tone(), recorded(tone(), wander)):
        found = detect_pilot(audio, RATE)
        assert isinstance(found, Tone)
        assert found.frequency_hz == pytest.approx(5003, abs=5)
    sawtooth = 0.2 * signal.sawtooth(2 * np.pi * 110 * np.arange(2 * RATE) / RATE)
    for audio in (plucked_notes(3.0), noise_bursts(3.0), sawtooth, np.zeros(RATE)):
        assert detect_pilot(audio, RATE) is None


def test_a_pilot_that_did_not_come_back_is_refused() -> None:
    with pytest.raises(DataError, match="the pilot: found"):
        track_pilot(pulses(), noise_bursts(float(SECONDS)), RATE, PulseTrain(441.0), 7000)


@pytest.mark.parametrize("pilot", [pulses, tone])
def test_crosstalk_is_measured_against_the_pilots_own_channel(pilot: object) -> None:
    wet = recorded(pilot(), np.full(SECONDS * RATE, 700.3))
    music = 0.1 * noise_bursts(float(SECONDS))
    kind = detect_pilot(pilot(), RATE)
    assert crosstalk_db(music + 0.03 * wet, wet, RATE, kind) == pytest.approx(20 * np.log10(0.03), abs=1.5)
    assert crosstalk_db(music, wet, RATE, kind) is None
