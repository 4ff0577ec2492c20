"""A render read along a delay that wanders."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tapezoo.data.align.trajectory import DelayTrajectory
from tapezoo.data.align.trajectory_csv import write_trajectory
from tapezoo.data.errors import DataError
from tapezoo.devices.transport import read_delayed
from tapezoo.models.fir import FIRNet
from tapezoo.render.nets import render
from tapezoo.render.report import RenderReport

RATE = 22050


def identity() -> FIRNet:
    return FIRNet(0, taps=2)  # before a training


def trajectory(seconds: float, start: float = 300.2, step: float = 0.0) -> DelayTrajectory:
    """Begins at `start`, swings by 20 samples to both sides, and loses `step` samples in the middle."""
    times = np.arange(0, seconds, 0.02)
    delay = start + 20 * np.sin(2 * np.pi * 1.3 * times)
    half = len(times) // 2
    if step:
        times = np.insert(times, half, times[half])
        delay = np.insert(delay, half, delay[half])
        delay[half + 1 :] += step
    return DelayTrajectory(times, delay, np.ones(len(times)), RATE)


def rendered(
    folder: Path, dry: np.ndarray, delay: DelayTrajectory, **options: object
) -> tuple[np.ndarray, RenderReport]:
    soundfile.write(folder / "in.wav", dry, RATE, subtype="DOUBLE")
    write_trajectory(folder / "d.csv", delay)
    report = render(
        identity(),
        RATE,
        [],
        folder / "in.wav",
        folder / "out.wav",
        delay=folder / "d.csv",
        overwrite=True,
        **options,
    )  # type: ignore[arg-type]
    return soundfile.read(folder / "out.wav", always_2d=True)[0], report


@pytest.mark.parametrize("start", [300.2, -40.0])
def test_it_is_the_recorded_wet_less_its_constant(tmp_path: Path, start: float) -> None:
    dry = np.random.default_rng(0).uniform(-0.5, 0.5, (20000, 2))
    delay = trajectory(0.9, start)
    output, report = rendered(tmp_path, dry, delay)
    assert report.delay_samples == round(start)
    beside = "later" if start > 0 else "earlier"
    said = f"first {abs(round(start))} samples are left out: a recorded wet is that much {beside}"
    assert said in str(report)
    wet = np.stack([read_delayed(channel, delay.at(0, len(dry))) for channel in dry.T], axis=1)
    assert len(output) == len(dry)
    late, early = max(0, round(start)), max(0, -round(start))
    length = len(dry) - late - early
    null = wet[late : late + length] - output[early : early + length]
    # the very end of the recording answers a dry that is over
    assert float(np.abs(null[:-100]).max()) < 1e-6
    assert float(np.abs(output[500:]).max()) > 0.3


@pytest.mark.parametrize("step", [0.0, -700.0, 900.0])
def test_the_block_length_changes_nothing(tmp_path: Path, step: float) -> None:
    dry = np.random.default_rng(0).uniform(-0.5, 0.5, (6000, 1))
    delay = trajectory(0.25, step=step)
    whole, _ = rendered(tmp_path, dry, delay, block_samples=20000)
    for block_samples in (97, 777):
        again, _ = rendered(tmp_path, dry, delay, block_samples=block_samples)
        np.testing.assert_allclose(again, whole, atol=1e-9)


def test_the_dry_part_stays_where_it_is(tmp_path: Path) -> None:
    dry = np.random.default_rng(0).uniform(-0.5, 0.5, (9000, 1))
    output, _ = rendered(tmp_path, dry, trajectory(0.4), mix=0.0, block_samples=500)
    np.testing.assert_array_equal(output, dry)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    def peak_bytes(seconds: float) -> int:
        dry = 0.1 * np.ones((round(seconds * RATE), 1))
        rendered(tmp_path, dry[:100], trajectory(0.1))  # what is compiled and imported once
        soundfile.write(tmp_path / "in.wav", dry, RATE, subtype="PCM_16")
        tracemalloc.start()
        render(
            identity(),
            RATE,
            [],
            tmp_path / "in.wav",
            tmp_path / "out.wav",
            delay=tmp_path / "d.csv",
            overwrite=True,
        )
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert peak_bytes(6) < peak_bytes(2) + 200_000  # four seconds are more than three times that as float64


def test_a_file_that_is_no_delay_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("time_s,volume\n0,1\n1,2\n")
    soundfile.write(tmp_path / "in.wav", np.zeros(100), RATE)
    with pytest.raises(DataError, match=r"d\.csv"):
        render(identity(), RATE, [], tmp_path / "in.wav", tmp_path / "out.wav", delay=tmp_path / "d.csv")
    assert not (tmp_path / "out.wav").exists()
