"""Long recordings go through in blocks; what comes out is what whole arrays give."""

from __future__ import annotations

import math
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import scipy.signal
import soundfile

from tapezoo.data import PairedAudio, checks, frames, least_squares, splits, streams
from tapezoo.data.align import shifts
from tapezoo.data.align.constant import find_delay
from tapezoo.data.checks import count_clipped
from tapezoo.data.errors import SoundFileError
from tapezoo.data.segments import group_by_length
from tapezoo.measure.floor import fit_floor

from .signals import RATE, amplifier, delayed, noise_bursts, plucked_notes, write

BLOCK = 7001  # samples: many to a file of a few seconds, and no multiple of anything


@pytest.fixture
def tiny_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if files of a few seconds were hours."""
    monkeypatch.setattr(streams, "LARGE_SAMPLES", 1000)
    monkeypatch.setattr(shifts, "CHUNK_S", 2.0)
    monkeypatch.setattr(shifts, "SECTION_S", 1.0)
    for module in (streams, frames, splits, least_squares):
        monkeypatch.setattr(module, "BLOCK_SAMPLES", BLOCK)
    monkeypatch.setattr(streams.blocks, "__defaults__", (BLOCK,))


def prepared(folder: Path, channels: int) -> PairedAudio:
    dry = np.stack([plucked_notes(4.0, seed) for seed in range(channels)], axis=1)
    dry[RATE : 2 * RATE] = 0
    hiss = 0.02 + 0.001 * np.random.default_rng(0).standard_normal(len(dry))
    wet = np.stack(
        [np.clip(3 * amplifier(delayed(channel, 300)) + hiss, -0.9, 1.1) for channel in dry.T], axis=1
    )
    write(folder / "dry.wav", dry)
    write(folder / "wet.wav", wet[:-1234])
    module = PairedAudio(
        str(folder / "dry.wav"),
        str(folder / "wet.wav"),
        cache_dir=str(folder / "cache"),
        segment_samples=2048,
    )
    module.setup()
    return module


@pytest.mark.parametrize("channels", [1, 2])
def test_a_long_file_is_prepared_as_a_short_one(
    tmp_path: Path, channels: int, request: pytest.FixtureRequest
) -> None:
    short, long = tmp_path / "short", tmp_path / "long"
    short.mkdir()
    long.mkdir()
    expected = prepared(short, channels)
    floor = fit_floor(expected.split_arrays("train"))
    esr = floor.esr(expected.split_arrays("val"), 1000)
    request.getfixturevalue("tiny_blocks")
    found = prepared(long, channels)
    assert found.findings == expected.findings
    assert {finding.kind for finding in found.findings} >= {"delay", "tail", "clipping", "over_full_scale"}
    assert found.dataset_hash == expected.dataset_hash
    for split in ("train", "val", "test"):
        rows = zip(found.split_arrays(split), expected.split_arrays(split), strict=True)
        for row, other in rows:
            assert row.name == other.name
            np.testing.assert_array_equal(row.input, other.input)
            np.testing.assert_array_equal(row.target, other.target)
    again = fit_floor(found.split_arrays("train"))
    taps = floor.overall.taps
    np.testing.assert_allclose(again.overall.taps, taps, atol=1e-6 * np.abs(taps).max())
    assert again.esr(found.split_arrays("val"), 1000) == pytest.approx(esr, rel=1e-7)
    assert list((long / "cache").glob("reading-*")) == []


def test_alignment_of_single_precision_is_that_of_double() -> None:
    dry = plucked_notes(4.0).astype(np.float32)
    wet = amplifier(delayed(dry.astype(np.float64), 70.4)).astype(np.float32)
    assert find_delay(dry, wet, 5000) == find_delay(dry.astype(float), wet.astype(float), 5000)


@pytest.mark.usefixtures("tiny_blocks")
def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    peaks = []
    for seconds in (12.0, 24.0):  # both give alignment its 24 windows
        dry = noise_bursts(seconds)
        paths = write(tmp_path / "dry.wav", dry), write(tmp_path / "wet.wav", amplifier(delayed(dry, 50)))
        tracemalloc.start()
        try:
            data = PairedAudio(
                *map(str, paths), cache_dir=str(tmp_path / "cache"), batches_per_epoch=2, batch_size=2
            )
            data.setup()
            fit_floor(data.split_arrays("train")).esr(data.split_arrays("val"), 0)
            next(iter(data.train_dataloader()))
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    # whole copies took twenty times the file
    assert peaks[1] - peaks[0] < 0.5 * 12 * RATE * np.dtype(np.float32).itemsize


@pytest.mark.usefixtures("tiny_blocks")
@pytest.mark.parametrize(
    ("fault", "error", "part"),
    [
        (lambda audio: audio * 0 + 0.2, SoundFileError, "silence"),
        (
            lambda audio: np.where(np.arange(len(audio)) == RATE, np.nan, audio),
            SoundFileError,
            "1 NaN.* at 1.000 s",
        ),
    ],
)
def test_a_long_file_is_refused_for_the_same_faults(
    tmp_path: Path, fault: object, error: type[Exception], part: str
) -> None:
    path = write(tmp_path / "a.wav", fault(noise_bursts(2.0)))  # type: ignore[operator]
    with pytest.raises(error, match=part):
        streams.read_signal(path, tmp_path)


@pytest.mark.usefixtures("tiny_blocks")
def test_a_long_file_that_decodes_to_less_than_its_header_says_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.wav", noise_bursts(2.0))
    read = soundfile.SoundFile.read

    def tired(file: soundfile.SoundFile, *arguments: object, **options: object) -> np.ndarray:
        return read(file, *arguments, **options)[: 0 if file.tell() > RATE else None]

    monkeypatch.setattr(soundfile.SoundFile, "read", tired)
    with pytest.raises(SoundFileError, match=r"42006 samples where its header announces 88200"):
        streams.read_signal(path, tmp_path)


def test_flat_runs_are_counted_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = np.random.default_rng(0).uniform(-0.85, 0.6, 1000).astype(np.float32)
    for start, length in ((0, 4), (95, 10), (199, 3), (290, 120), (596, 4), (700, 4), (996, 4)):
        samples[start : start + length] = 0.9
        samples[start + length : start + length + 1] = 0.0
    expected = (6, 4 + 10 + 120 + 4 + 4 + 4)
    assert count_clipped(samples, 0.9) == expected
    monkeypatch.setattr(streams.blocks, "__defaults__", (100,))
    assert count_clipped(samples, float(samples.max())) == expected
    assert count_clipped(-samples, -float(samples.max())) == expected
    assert "(bottom): 146 samples in 6 flat runs" in str(checks.signal_findings("a", "wet", -samples)[-1])


def test_the_floor_of_blocks_is_that_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(3000)
    d = scipy.signal.lfilter([0.5, 0.2, -0.3], [1, -0.4], x) + 0.1 * rng.standard_normal(3000)
    pair = [(x.astype(np.float32), d.astype(np.float32))]
    expected = least_squares.least_squares_fir(pair, 33)
    error = least_squares.fir_esr(expected, pair, 1500)
    for block in (1000, 700, 20):  # 20: shorter than the filter
        monkeypatch.setattr(least_squares, "BLOCK_SAMPLES", block)
        found = least_squares.least_squares_fir(pair, 33)
        np.testing.assert_allclose(found.taps, expected.taps, atol=1e-7)
        assert found.offset == pytest.approx(expected.offset, abs=1e-7)
        assert least_squares.fir_esr(expected, pair, 1500) == pytest.approx(error, rel=1e-9)
    assert math.isnan(least_squares.fir_esr(found, [(pair[0][0], 0 * pair[0][1])], 0))


def test_a_batch_of_whole_regions_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tapezoo.data import segments

    module = prepared(tmp_path, 2)
    regions = segments.regions_of(module._open(), "train", RATE)
    assert [len(group) for group in group_by_length(regions)] == [2]
    monkeypatch.setattr(segments, "LARGE_SAMPLES", regions[0].length)
    assert [len(group) for group in group_by_length(regions)] == [1, 1]
