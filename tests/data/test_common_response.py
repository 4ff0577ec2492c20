"""Recordings of one machine are moved until one response explains all of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import signal

from tapezoo.data import PairedAudio, pair_delays
from tapezoo.data.align.timing import ChannelTiming, PairTiming
from tapezoo.data.align.trajectory import DelayTrajectory
from tapezoo.data.align.trajectory_csv import write_trajectory
from tapezoo.data.common_response import match_responses, take_excerpt
from tapezoo.devices.transport import read_delayed

from .signals import RATE, noise_bursts, plucked_notes, write

SECONDS = 1.5
LOW_PASS = signal.butter(3, 6000, fs=RATE, output="sos")
PROGRAMME = (noise_bursts(SECONDS), plucked_notes(SECONDS, 1), noise_bursts(SECONDS, 2))


def wander(phase: float) -> DelayTrajectory:
    times = np.arange(0, SECONDS, 0.01)
    return DelayTrajectory(times, 200 + 6 * np.sin(9 * times + phase), np.ones(len(times)), RATE)


def recording(number: int) -> np.ndarray:
    """The machine: a low-pass whose onset nobody sees, then a transport."""
    wet = read_delayed(
        signal.sosfilt(LOW_PASS, PROGRAMME[number]), wander(number).at(0, round(SECONDS * RATE))
    )
    return np.asarray(wet + 1e-4 * np.random.default_rng(number).standard_normal(len(wet)), dtype=np.float32)


def matched(off: tuple[float, ...]) -> list[float] | None:
    return match_responses(
        [
            take_excerpt(PROGRAMME[number].astype(np.float32), recording(number), wander(number).shifted(own))
            for number, own in enumerate(off)
        ]
    )


def test_onsets_that_differ_are_moved_to_the_earliest() -> None:
    shifts = matched((0.0, 3.4, -5.0))
    assert shifts is not None
    np.testing.assert_allclose(shifts, [-5.0, -8.4, 0.0], atol=0.15)


def test_many_recordings_are_heard_for_a_shorter_time_each() -> None:
    long, still = np.zeros(30 * RATE, np.float32), DelayTrajectory(np.zeros(1), np.zeros(1), np.ones(1), RATE)
    seconds = [len(take_excerpt(long, long, still, recordings).wet) / RATE for recordings in (1, 60, 1000)]
    assert seconds == [20, 5, 3]


def test_recordings_that_agree_stay() -> None:
    shifts = matched((0.0, 0.0, 0.0))
    assert shifts is None or min(shifts) > -0.05


def test_pairs_of_one_setting_are_matched_and_the_user_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    still = PairTiming((ChannelTiming(0, 0.0, False, 9.0, True),))
    monkeypatch.setattr(pair_delays, "measure_timing", lambda *arguments: still)
    monkeypatch.setenv("TAPEZOO_CACHE", str(tmp_path / "cache"))
    lines = []
    for number, off in enumerate((0.0, 4.0)):
        write(tmp_path / f"dry{number}.wav", PROGRAMME[number])
        write(tmp_path / f"wet{number}.wav", recording(number))
        write_trajectory(tmp_path / f"d{number}.csv", wander(number).shifted(off))
        lines.append(f"{{dry: dry{number}.wav, wet: wet{number}.wav, delay: d{number}.csv}}")
    (tmp_path / "p.yaml").write_text(f"pairs: [{', '.join(lines)}]")
    module = PairedAudio(
        pairs=str(tmp_path / "p.yaml"), delay="remove", segment_samples=1024, burn_in_samples=256
    )
    module.setup()
    (said,) = [str(finding) for finding in module.findings if finding.kind == "onset"]
    assert said.startswith("corrected: wet1.wav: its delay is moved by -")
    assert 3.8 < -float(said.split("moved by ")[1].split(" samples")[0]) < 4.2
    for row in module.split_arrays("train"):
        heard = signal.sosfilt(LOW_PASS, row.input)
        error = np.sum(np.square(heard - row.target)[500:]) / np.sum(np.square(row.target)[500:])
        assert error < 2e-3


@pytest.mark.parametrize(("off", "is_claimed"), [(4, False), (4, True)])
def test_delays_that_stand_still_move_by_whole_samples_unless_the_user_gave_them(
    off: int, is_claimed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = iter([100, 100 + off] if not is_claimed else [100, 100])
    monkeypatch.setattr(
        pair_delays,
        "measure_timing",
        lambda *arguments: PairTiming((ChannelTiming(next(heard), 0.0, False, 9.0, True),)),
    )
    monkeypatch.setenv("TAPEZOO_CACHE", str(tmp_path / "cache"))
    lines = []
    for number in (0, 1):
        write(tmp_path / f"dry{number}.wav", PROGRAMME[number])
        wet = np.pad(signal.sosfilt(LOW_PASS, PROGRAMME[number]), (100, 0)) + 1e-4 * noise_bursts(1.5)[0]
        write(tmp_path / f"wet{number}.wav", np.asarray(wet, dtype=np.float32))
        claim = f", offset_samples: {100 + number * off}" if is_claimed else ""
        lines.append(f"{{dry: dry{number}.wav, wet: wet{number}.wav{claim}}}")
    (tmp_path / "p.yaml").write_text(f"pairs: [{', '.join(lines)}]")
    module = PairedAudio(pairs=str(tmp_path / "p.yaml"), segment_samples=1024, burn_in_samples=256)
    module.setup()
    said = [str(finding) for finding in module.findings if "one response" in str(finding)]
    if is_claimed:
        assert not said
    else:
        (moved,) = said
        assert moved.startswith("corrected: wet1.wav: its delay is moved by -4.00 samples")
        for row in module.split_arrays("train"):
            error = np.square(signal.sosfilt(LOW_PASS, row.input) - row.target)[500:].sum()
            assert error < 2e-3 * np.square(row.target[500:]).sum()
