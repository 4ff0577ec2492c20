"""Faults of recordings that a test put there: found, measured and repaired, or not found at all."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from tapezoo.data.align import channel
from tapezoo.data.align.constant import Alignment, Peak, measured_at
from tapezoo.data.align.timing import PairTiming, measure_timing
from tapezoo.data.align.warp import warp
from tapezoo.devices.program import KINDS, program_material
from tapezoo.devices.transport import read_delayed, replay_delay
from tests.data.signals import RATE, amplifier, delayed, noise_bursts, plucked_notes

Samples = np.ndarray


def measured(dry: Samples, wet: Samples) -> PairTiming:
    return measure_timing(np.atleast_2d(dry).astype(np.float32), np.atleast_2d(wet).astype(np.float32), RATE)


def without(wet: Samples, at_s: float, samples: int) -> Samples:
    """`samples` of wet lost at a time, or, below 0, repeated."""
    at = round(at_s * RATE)
    return np.concatenate([wet[:at], wet[at + samples :]])


@pytest.fixture(scope="module")
def bursts() -> Samples:
    return noise_bursts(4.0)


@pytest.fixture(scope="module")
def notes() -> Samples:
    return plucked_notes(4.0)


def test_each_channel_has_its_own_delay_and_polarity(bursts: Samples) -> None:
    found = measured(
        np.stack([bursts, bursts]),
        np.stack([amplifier(delayed(bursts, 37)), -amplifier(delayed(bursts, 437))]),
    )
    assert [channel.constant_samples for channel in found.channels] == [37, 437]
    assert [channel.inverted for channel in found.channels] == [False, True]
    assert found.has_shared_clock
    assert all(channel.wander is None and channel.jumps == () for channel in found.channels)


@pytest.mark.parametrize("late_s", [0.9, 2.5, -2.0])
@pytest.mark.parametrize("material", ["bursts", "notes"])
def test_a_delay_is_found_however_far(material: str, late_s: float, request: pytest.FixtureRequest) -> None:
    dry = request.getfixturevalue(material)
    late = round(late_s * RATE)
    wet = amplifier(np.concatenate([np.zeros(late), dry]) if late > 0 else dry[-late:])
    (channel,) = measured(dry, wet).channels
    assert channel.found
    assert late - 4 <= channel.constant_samples <= late
    if material == "bursts":
        assert channel.constant_samples == late


def test_of_the_places_far_away_only_the_surest_is_measured_whole(
    bursts: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole: list[Peak] = []

    def noted(dry: Samples, wet: Samples, peak: Peak) -> Alignment:
        whole.append(peak)
        return measured_at(dry, wet, peak)

    monkeypatch.setattr(channel, "measured_at", noted)
    late = round(2.5 * RATE)
    (found,) = measured(bursts, np.concatenate([np.zeros(late), 0.5 * bursts])).channels
    assert found.constant_samples == late
    (peak,) = whole
    assert peak.confidence > channel.SURE


@pytest.mark.parametrize(
    ("dry", "wet"),
    [(plucked_notes(4.0, seed=1), plucked_notes(4.0, seed=2)), (noise_bursts(4.0), noise_bursts(4.0, 7))],
)
def test_unrelated_recordings_are_not_found_anywhere(dry: Samples, wet: Samples) -> None:
    found = measured(dry, amplifier(wet))
    assert not found.channels[0].found
    assert found.clock_ratio == 1.0


@pytest.mark.parametrize("ppm", [100, -40])
def test_two_clocks_are_measured_to_a_millionth_and_repaired(notes: Samples, ppm: float) -> None:
    delay = 100 + 1e-6 * ppm * np.arange(len(notes))
    wet = amplifier(read_delayed(notes, delay))
    found = measured(notes, wet)
    (channel,) = found.channels
    assert found.clock_ratio == pytest.approx(1 + 1e-6 * ppm, abs=1e-6 * 1.5)  # four seconds
    assert channel.wander is not None
    left = delay - channel.wander.at(0, len(notes))
    assert np.ptp(left) < 0.3
    assert -0.05 <= left.mean() <= 8  # never past the onset


@pytest.mark.parametrize(("up", "down"), [(160, 147), (147, 160)])
def test_a_rate_that_is_labelled_wrong_is_named(bursts: Samples, up: int, down: int) -> None:
    found = measured(bursts, amplifier(signal.resample_poly(bursts, up, down)))
    assert found.clock_ratio == pytest.approx(up / down, rel=5e-6)


@pytest.mark.parametrize(
    ("material", "lost"),
    [
        ("bursts", [(2.0, 20)]),
        ("bursts", [(3.75, -1024)]),  # the last tenth
        ("bursts", [(1.0, 500), (2.0, -200), (3.0, 64)]),
        ("bursts", [(2.0, 5)]),
        ("notes", [(2.0, -20)]),
        ("notes", [(1.5, 1024)]),
    ],
)
def test_lost_and_repeated_samples_are_located_and_repaired(
    material: str, lost: list[tuple[float, int]], request: pytest.FixtureRequest
) -> None:
    dry = request.getfixturevalue(material)
    wet = amplifier(delayed(dry, 70))
    for at_s, samples in reversed(lost):
        wet = without(wet, at_s, samples)
    (channel,) = measured(dry, wet).channels
    assert channel.found
    assert [jump.samples for jump in channel.jumps] == [-samples for _, samples in lost]
    gone = 0
    for jump, (at_s, samples) in zip(channel.jumps, lost, strict=True):
        assert jump.window_s <= 0.07
        assert abs(jump.time_s - (at_s - gone / RATE)) <= jump.window_s / 2
        gone += samples
    assert channel.wander is not None
    # dry read along it is wet's dry, but within the windows
    read = warp(dry.astype(np.float32), channel.wander, len(wet))
    reference = amplifier(delayed(read, 70 - round(channel.wander.delay_samples[0])))
    off = np.abs(reference - wet) > 0.05 * np.abs(wet).max()
    assert off.mean() < 0.05
    assert channel.constant_samples <= 70 + min(0, *np.cumsum([-samples for _, samples in lost]))


def test_a_transport_that_also_lost_samples_is_followed(bursts: Samples) -> None:
    delay = 500 + replay_delay(len(bursts), RATE, 0.1, 0)
    wet = without(read_delayed(bursts, delay), 2.0, 200)
    truth = without(delay + 0.0, 2.0, 200)
    truth[2 * RATE :] -= 200
    (channel,) = measured(bursts, wet).channels
    assert channel.wander is not None
    (jump,) = channel.jumps
    assert jump.samples == pytest.approx(-200, abs=4)
    left = truth - channel.wander.at(0, len(wet))
    inner = np.r_[RATE // 2 : 2 * RATE - 4000, 2 * RATE + 4000 : len(wet) - RATE // 2]
    assert np.std(left[inner]) < 0.5
    assert left[inner].min() > -0.5


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_clean_recordings_have_no_jumps(kind: str, seed: int) -> None:
    (excerpt,) = (one for one in program_material(40.0, RATE, seed) if one.kind == kind)
    dry = excerpt.audio.astype(float)
    found = measured(dry, amplifier(signal.lfilter(*signal.butter(3, 7000, fs=RATE), delayed(dry, 50))))
    (channel,) = found.channels
    assert channel.jumps == ()
    assert channel.wander is None
    assert found.clock_ratio == 1.0
