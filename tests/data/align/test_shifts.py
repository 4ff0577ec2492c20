"""Steps of the delay near the ends of a take and in material that windows cannot place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import signal

from tapezoo.data.align.shifts import find_shifts, tells_steps
from tapezoo.data.align.timing import measure_timing
from tapezoo.data.align.trajectory import DelayTrajectory
from tapezoo.data.timing_findings import timing_facts
from tests.data.signals import RATE, amplifier, delayed, noise_bursts, plucked_notes

DELAY = 70


def still(delay_samples: float) -> DelayTrajectory:
    return DelayTrajectory(np.zeros(1), np.array([delay_samples]), np.ones(1), RATE)


def tape(dry: np.ndarray) -> np.ndarray:
    """Saturation, a low-pass, hiss."""
    recorded = signal.lfilter(*signal.butter(2, 9000, fs=RATE), np.tanh(1.5 * delayed(dry, DELAY)))
    return recorded + 10 ** (-66 / 20) * np.random.default_rng(0).standard_normal(len(dry))


def stepped(wet: np.ndarray, at: int, samples: int) -> np.ndarray:
    """From `at` on later by `samples`: those before are there twice; below 0 they are lost."""
    return np.concatenate([wet[:at], wet[at - samples :]])


MATERIAL = {"bursts": noise_bursts(2.0), "notes": plucked_notes(2.0)}
# bursts sound from 4000 on and until 84000, notes from 0 until 75600
CASES = [
    ("bursts", 81500, -20),
    ("bursts", 82500, 1024),
    ("bursts", 6000, -300),
    ("notes", 40000, 25),
    ("notes", 62000, -64),
]


@pytest.mark.parametrize(("material", "at", "samples"), CASES)
def test_a_step_is_found_near_the_ends_and_in_tonal_material(material: str, at: int, samples: int) -> None:
    dry = MATERIAL[material]
    wet = stepped(tape(dry), at, samples)
    usual = DELAY if at > len(dry) / 2 else DELAY + samples  # what most of the take has
    (step,) = find_shifts(dry, wet, still(usual))
    assert step.samples == samples
    assert abs(step.at_samples - at) <= step.window_samples / 2
    assert step.window_samples < 0.1 * RATE


def test_several_steps_are_told_apart() -> None:
    dry = MATERIAL["bursts"]
    wet = stepped(stepped(tape(dry), 70000, -40), 20000, 90)
    steps = find_shifts(dry, wet, still(DELAY + 90))
    assert [step.samples for step in steps] == [90, -40]


@pytest.mark.parametrize("material", MATERIAL)
@pytest.mark.parametrize("device", [tape, lambda dry: amplifier(delayed(dry, DELAY))])
def test_a_clean_take_has_no_step(material: str, device: Callable[[np.ndarray], np.ndarray]) -> None:
    dry = MATERIAL[material]
    assert find_shifts(dry, device(dry), still(DELAY)) == []


def test_a_reverberation_is_no_step() -> None:
    dry = MATERIAL["notes"]
    tail = np.exp(-np.arange(RATE // 2) / 5000) * np.random.default_rng(5).standard_normal(RATE // 2)
    wet = tape(dry) + 0.01 * signal.oaconvolve(dry, tail)[: len(dry)]
    assert find_shifts(dry, wet, still(DELAY)) == []


def test_silence_has_no_step() -> None:
    assert find_shifts(np.zeros(RATE), np.zeros(RATE), still(0)) == []
    assert find_shifts(np.zeros(100), np.zeros(100), still(0)) == []


def test_samples_lost_in_the_last_tenth_of_a_take_are_found_by_its_timing() -> None:
    dry = MATERIAL["notes"]
    (channel,) = measure_timing(
        dry[None].astype(np.float32), stepped(tape(dry), 68000, -64)[None].astype(np.float32), RATE
    ).channels
    (jump,) = channel.jumps
    assert jump.samples == -64
    assert abs(jump.time_s - 68000 / RATE) <= jump.window_s / 2
    assert channel.wander is not None
    assert np.ptp(channel.wander.delay_samples) == 64


def test_single_tones_tell_no_step_whatever_a_distortion_makes_of_them() -> None:
    time_s = np.arange(2 * RATE) / RATE
    levels = np.repeat([0.02, 0.9, 0.1, 0.6], RATE // 2)
    dry = levels * np.sin(2 * np.pi * np.repeat([110.0, 165.0, 82.5, 330.0], RATE // 2) * time_s)
    wet = amplifier(delayed(dry, DELAY))
    assert find_shifts(dry, wet, still(DELAY)) == []
    assert find_shifts(dry, stepped(wet, RATE, 133), still(DELAY)) == [], "and it is not asked"
    timing = measure_timing(dry[None].astype(np.float32), wet[None].astype(np.float32), RATE)
    assert not timing.channels[0].tells_jumps
    assert any("to detect lost samples" in text for _, _, text in
               timing_facts(timing.channels[0], 1.0, RATE, "keep"))  # fmt: skip


def test_a_step_is_told_beside_a_stretch_of_tones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tapezoo.data.align.shifts.CHUNK_S", 2.0)
    tone = 0.8 * np.sin(2 * np.pi * 220 * np.arange(2 * RATE) / RATE)
    dry = np.concatenate([tone, MATERIAL["bursts"], tone])
    wet = stepped(tape(dry), 3 * RATE, -64)
    assert [step.samples for step in find_shifts(dry, wet, still(DELAY))] == [-64]
    assert tells_steps(dry, RATE)
    assert not tells_steps(tone, RATE)


def test_a_machine_that_falls_silent_has_lost_no_samples() -> None:
    dry = MATERIAL["bursts"]
    wet = tape(dry)
    wet[len(wet) * 2 // 3 :] = 0.0
    assert find_shifts(dry, wet, still(DELAY)) == []
    wet = tape(dry)
    wet[30000:34000] *= 0.03
    assert find_shifts(dry, wet, still(DELAY)) == []


def test_a_loop_that_repeats_is_not_taken_for_late_where_samples_were_lost() -> None:
    dry = np.tile(noise_bursts(1.0), 4) + 0.2 * noise_bursts(4.0, 3)
    wet = stepped(tape(dry), round(2.4 * RATE), -300)
    (channel,) = measure_timing(dry[None].astype(np.float32), wet[None].astype(np.float32), RATE).channels
    assert [jump.samples for jump in channel.jumps] == [-300]
    assert abs(channel.constant_samples) < 400
