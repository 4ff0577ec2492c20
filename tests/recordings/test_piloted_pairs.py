"""A pilot beside the music: recognised, followed to the truth, and its crosstalk said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from recorded_takes import RATE, Take, kinds, machine, prepared, programme, text

from tapezoo.devices.transport import read_delayed, replay_delay

DRY = programme()
TIME_S = np.arange(len(DRY)) / RATE
PULSES = 0.5 * np.exp(-0.5 * ((np.arange(len(DRY)) % 240 - 20) / 2) ** 2)
DELAY = 900 + replay_delay(len(DRY), RATE, 0.2, seed=2)
WET, BACK = read_delayed(machine(DRY), DELAY), read_delayed(PULSES, DELAY)


def test_a_pulse_train_in_the_second_channel_tells_the_wander(tmp_path: Path) -> None:
    report = Take(np.stack((DRY, PULSES)), np.stack((WET, BACK))).report(tmp_path)
    assert report.verdict != "not usable", report.remarks
    assert "channel 2 holds a pilot (pulses every 240.0" in text(report, "pilot")
    assert len(report.channels) == 1
    assert report.laying is not None
    (trajectory,) = report.laying.trajectories
    assert trajectory is not None
    start, samples = report.laying.start_samples[0], round(report.seconds * RATE)
    error = trajectory.at(0, samples) + report.laying.constants_samples[0] - DELAY[start : start + samples]
    inside = slice(RATE // 10, samples - RATE // 10)
    assert error[inside].std() < 0.1
    assert abs(error[inside].mean()) < 3
    floor = report.channels[0].floor_without_wander
    assert floor is not None
    assert floor < 0.5 * report.channels[0].floor


def test_a_pilot_in_files_of_its_own_that_leaks_is_said(tmp_path: Path) -> None:
    files = {"dry": DRY, "wet": WET + 0.02 * BACK, "dry_pilot": PULSES, "wet_pilot": BACK}
    for name, audio in files.items():
        soundfile.write(tmp_path / f"{name}.wav", audio, RATE, subtype="FLOAT")
    paths = {name: tmp_path / f"{name}.wav" for name in files}
    preparation = prepared(
        [(paths["dry"], paths["wet"])],
        None,
        tmp_path / "cache",
        pilots=[(paths["dry_pilot"], paths["wet_pilot"])],
    )
    (report,) = preparation.pairs
    assert "crosstalk" in kinds(report, "limits")
    assert "-33 dB" in text(report, "crosstalk")  # 0.02 is -34


def test_music_named_as_a_pilot_is_refused(tmp_path: Path) -> None:
    for name, audio in {"dry": DRY, "wet": WET}.items():
        soundfile.write(tmp_path / f"{name}.wav", audio, RATE, subtype="FLOAT")
    pair = (tmp_path / "dry.wav", tmp_path / "wet.wav")
    (report,) = prepared([pair], None, tmp_path / "cache", pilots=[pair]).pairs
    assert kinds(report, "refused") == {"pilot"}
