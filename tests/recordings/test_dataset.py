"""What `prepare` writes: a data set that the data modules read as it was meant."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from recorded_takes import RATE, Take, late, machine, prepared, programme
from scipy import signal

from tapezoo.data.align.timing import ChannelTiming, PairTiming
from tapezoo.data.align.trajectory import DelayTrajectory
from tapezoo.data.align.trajectory_csv import read_trajectory
from tapezoo.data.paired_audio import PairedAudio
from tapezoo.data.pairs import read_pairs
from tapezoo.data.splits import SPLITS
from tapezoo.recordings.dataset import is_dataset, write_documents
from tapezoo.recordings.laying import lay, moved
from tapezoo.recordings.preparation import Preparation
from tapezoo.recordings.recording import Recording, Wishes
from tapezoo.recordings.scratch import Scratch
from tapezoo.recordings.session import prepare
from tapezoo.recordings.sharing import Candidate, share_out

DRY = programme()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Preparation]:
    """Two takes of one session: the first late, inverted and with silence before it, the second over full scale."""
    folder = tmp_path_factory.mktemp("session")
    silence = np.zeros(3 * RATE)
    first = np.concatenate((silence, DRY))
    second = programme(seed=5)
    takes = [(first, -0.5 * late(machine(first), 120)), (second, 3 * machine(second))]
    files = []
    for number, (dry, wet) in enumerate(takes):
        paths = folder / f"take{number}_dry.wav", folder / f"take{number}_wet.wav"
        for path, audio in zip(paths, (dry, wet), strict=True):
            soundfile.write(path, audio, RATE, subtype="FLOAT")
        files.append(paths)
    out = folder / "dataset"
    out.mkdir()
    preparation = prepared(files, out, folder / "cache")
    write_documents(out, preparation)
    return out, preparation


def test_the_pairs_file_names_audio_that_lies_right(written: tuple[Path, Preparation]) -> None:
    out, preparation = written
    assert is_dataset(out)
    pairs = read_pairs(out / "pairs.yaml").pairs
    assert [pair.wet.name for pair in pairs] == [
        "take0_wet.flac",
        "take1_wet.wav",
    ]  # the second would clip in FLAC
    dry, wet = (soundfile.read(path, dtype="float64")[0] for path in (pairs[0].dry, pairs[0].wet))
    assert len(dry) == len(wet)
    assert preparation.pairs[0].laying is not None
    assert preparation.pairs[0].laying.trimmed_s[0] == pytest.approx(
        2.0, abs=0.03
    )  # a second of silence is kept
    start = len(DRY) + 3 * RATE - 120 - len(dry)
    np.testing.assert_allclose(dry, np.concatenate((np.zeros(3 * RATE), DRY))[start:-120], atol=2e-7)
    expected = 0.5 * machine(np.concatenate((np.zeros(3 * RATE), DRY)))[start:-120]
    assert np.sqrt(np.mean((wet - expected) ** 2)) < 1e-4


def test_a_model_trains_on_the_splits_that_were_told(
    written: tuple[Path, Preparation], tmp_path: Path
) -> None:
    out, preparation = written
    data = PairedAudio(
        pairs=str(out / "pairs.yaml"), segment_samples=1024, burn_in_samples=256, cache_dir=str(tmp_path)
    )
    for split in SPLITS:
        lengths = [len(row.target) for row in data.split_arrays(split)]
        told = [pair.regions[split] for pair in preparation.pairs if pair.regions]
        assert lengths == [stop - start for start, stop in told]
    assert not [finding for finding in data.findings if finding.kind in ("delay", "polarity", "dc", "drift")]


def test_the_report_holds_every_figure_in_json(written: tuple[Path, Preparation]) -> None:
    out, _ = written
    report = json.loads((out / "report.json").read_text(), parse_constant=pytest.fail)
    assert report["schema_version"] == 1
    assert report["verdict"] == "usable"
    first = report["pairs"][0]["channels"][0]
    assert first["delay_samples"] == 120
    assert first["polarity_corrected"] is True
    assert first["noise_floor_dbfs"] == pytest.approx(-81, abs=1)
    assert first["best_esr_without_noise"] < 1e-4
    assert sum(first["dry"]["block_level_shares"]) <= 1.0
    assert report["pairs"][1]["files"] == [
        {"dry": "take1_dry.flac", "wet": "take1_wet.wav", "delay": None, "channels": [1]}
    ]


def test_controls_splits_and_held_out_of_a_pairs_file_stay(tmp_path: Path) -> None:
    lines = ["controls:", "  drive: {min: 0, max: 10, default: 2, unit: dB}", "pairs:"]
    for number, (drive, more) in enumerate(
        (("0", "split: train"), ("0", "split: val"), ("10", "held_out: true"))
    ):
        dry = programme(seed=number)
        soundfile.write(tmp_path / f"d{number}.wav", dry, RATE)
        soundfile.write(tmp_path / f"w{number}.wav", machine(dry) / 2, RATE)
        lines += [
            f"  - dry: d{number}.wav",
            f"    wet: w{number}.wav",
            f"    controls: {{drive: {drive}}}",
            f"    {more}",
        ]
    (tmp_path / "pairs.yaml").write_text("\n".join(lines))
    file = read_pairs(tmp_path / "pairs.yaml")
    out = tmp_path / "out"
    out.mkdir()
    recordings = [Recording(pair) for pair in file.pairs]
    write_documents(out, prepare(recordings, file, Wishes(), out, tmp_path / "cache", lambda _: None))
    again = read_pairs(out / "pairs.yaml")
    assert again.controls == file.controls
    assert [(pair.controls, pair.split, pair.held_out) for pair in again.pairs] == [
        (pair.controls, pair.split, pair.held_out) for pair in file.pairs
    ]


def test_channels_that_wander_become_pairs_with_a_trajectory_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = np.linspace(0, 3, 301)
    truths = [300 + 3 * np.sin(2 * np.pi * times), 500 + 3 * np.cos(2 * np.pi * times)]
    channels = tuple(
        ChannelTiming(
            round(truth.mean()), 0.0, False, 9.0, True, DelayTrajectory(times, truth, np.ones(301), RATE)
        )
        for truth in truths
    )
    monkeypatch.setattr(
        "tapezoo.recordings.marked.measure_timing",
        lambda *_, **__: PairTiming(channels, has_shared_clock=False),
    )
    wet = np.stack([late(machine(DRY), 300), late(machine(DRY), 500)])
    out = tmp_path / "out"
    out.mkdir()
    preparation = Take(np.stack((DRY, DRY)), wet).checked(tmp_path, out)
    write_documents(out, preparation)
    pairs = read_pairs(out / "pairs.yaml").pairs
    assert [pair.delay.name for pair in pairs if pair.delay] == [
        "take_channel1_delay.csv",
        "take_channel2_delay.csv",
    ]
    cuts = [int(np.floor(truth.min())) for truth in truths]
    for pair, truth, cut in zip(pairs, truths, cuts, strict=True):
        assert soundfile.info(pair.wet).channels == 1
        assert pair.delay is not None
        left = read_trajectory(pair.delay, RATE)
        assert left.times_s[0] == 0
        assert left.delay_samples.min() >= 0  # what is kept of it never lets wet lead dry
        at = np.arange(2000, 2100)
        expected = np.interp((at + cut) / RATE, times, truth) - cut
        np.testing.assert_allclose(left.at(2000, 2100), expected, atol=2e-3)


def test_a_moved_trajectory_is_the_same_curve(tmp_path: Path) -> None:
    times = np.linspace(0, 2, 201)
    whole = DelayTrajectory(times, 40 + np.sin(6 * times), np.ones(201), RATE)
    part = moved(whole, 1234, 39, 1.5)
    np.testing.assert_allclose(part.at(100, 30000), whole.at(1334, 31234) - 39, atol=1e-4)


def test_a_fraction_of_a_sample_is_taken_off_by_resampling_dry(tmp_path: Path) -> None:
    dry = signal.sosfiltfilt(signal.butter(6, 0.6, output="sos"), DRY)[None].astype(np.float32)
    wet = late(dry[0], 10.3)[None].astype(np.float32)

    def error_of(fraction: float) -> float:
        timing = PairTiming((ChannelTiming(10, fraction, False, 9.0, True),))
        laid = lay(dry, wet, timing, RATE, False, Scratch(tmp_path))
        return float(np.mean((laid.dry - laid.wet)[0, 500:-500] ** 2) / np.mean(wet**2))

    assert error_of(0.3) < 1e-4 < 1e-2 < error_of(0.0)


def candidate(source: str, seconds: float = 5.0, level_db: float = -12.0, **others: object) -> Candidate:
    return Candidate(source, (), seconds, level_db, 1000.0, **others)  # type: ignore[arg-type]


def test_five_short_recordings_are_split_by_file_and_outliers_train() -> None:
    levels = [-40.0, -12.0, -13.0, -11.0, -3.0]
    splits = share_out([candidate(str(number), level_db=level) for number, level in enumerate(levels)])
    assert sorted(split or "" for split in splits) == ["test", "train", "train", "train", "val"]
    assert splits[0] == splits[4] == "train"


def test_recordings_of_one_dry_share_a_split() -> None:
    takes = [candidate(str(number % 6)) for number in range(18)]
    splits = share_out(takes)
    assert all(split is not None for split in splits)
    assert all(len({splits[number], splits[number + 6], splits[number + 12]}) == 1 for number in range(6))


@pytest.mark.parametrize(
    "takes",
    [
        [candidate(str(number)) for number in range(4)],
        [candidate(str(number), seconds=60.0) for number in range(8)],
        [candidate("same") for _ in range(8)],
    ],
)
def test_few_long_or_equal_recordings_are_split_by_time(takes: list[Candidate]) -> None:
    assert share_out(takes) == [None] * len(takes)


def test_splits_of_the_user_stay_even_if_only_one_is_given() -> None:
    takes = [candidate(str(number), given="test" if number == 3 else None) for number in range(8)]
    assert share_out(takes) == [None, None, None, "test", None, None, None, None]


def test_one_wet_beside_two_drys_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", DRY, RATE)
    soundfile.write(tmp_path / "b.wav", 0.5 * DRY, RATE)
    soundfile.write(tmp_path / "w.wav", machine(DRY), RATE)
    wet = tmp_path / "w.wav"
    preparation = prepared([(tmp_path / "a.wav", wet), (tmp_path / "b.wav", wet)], None, tmp_path / "cache")
    assert preparation.verdict == "not usable"
    assert "the same recording" in preparation.reasons()[0]
