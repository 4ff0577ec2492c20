"""What becomes of a delay that wanders: kept, removed, or given; found, claimed, or stated by a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import signal

from tapezoo.data import PairedAudio, delays, pair_delays, paired_audio
from tapezoo.data.align.timing import ChannelTiming, Jump, PairTiming
from tapezoo.data.align.trajectory import DelayTrajectory
from tapezoo.data.align.trajectory_csv import write_trajectory
from tapezoo.data.batch import LEAST_DELAY_SAMPLES
from tapezoo.data.errors import DataError
from tapezoo.devices.transport import read_delayed
from tapezoo.layers.delay_line import read_whole

from .signals import RATE, delayed, noise_bursts, plucked_notes, write

SMALL = {"segment_samples": 1024, "burn_in_samples": 512, "batch_size": 4}
SECONDS = 3.0


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPEZOO_CACHE", str(tmp_path / "cache"))


def wander(around: float = 300.0, swing: float = 9.0, run_away: float = 0.0) -> DelayTrajectory:
    """A slow sine around a constant; `run_away` samples more at the end."""
    times = np.arange(0, SECONDS, 0.01)
    values = around + swing * np.sin(2 * np.pi * 0.7 * times) + run_away * times / SECONDS
    return DelayTrajectory(times, values, np.ones(len(times)), RATE)


def late(dry: np.ndarray, trajectory: DelayTrajectory) -> np.ndarray:
    """A machine of gain one half with a transport."""
    return 0.5 * read_delayed(dry, trajectory.at(0, len(dry)))


def recorded(
    folder: Path, true: DelayTrajectory, stated: DelayTrajectory | None, **arguments: object
) -> PairedAudio:
    """A pair with the delay `true`, and a file that says `stated`."""
    dry = noise_bursts(SECONDS)
    write(folder / "dry.wav", dry)
    write(folder / "wet.wav", late(dry, true))
    key = ""
    if stated is not None:
        write_trajectory(folder / "d.csv", stated)
        key = ", delay: d.csv"
    (folder / "p.yaml").write_text(f"pairs: [{{dry: dry.wav, wet: wet.wav{key}}}]")
    module = PairedAudio(pairs=str(folder / "p.yaml"), **{**SMALL, **arguments})  # type: ignore[arg-type]
    module.setup()
    return module


def texts(module: PairedAudio, kind: str) -> list[str]:
    return [str(finding) for finding in module.findings if finding.kind == kind]


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.sum(np.square(found - expected)) / (np.sum(np.square(expected)) + 1e-12))


# ---- modes


@pytest.mark.parametrize("off", [0.0, 4.0, -6.0])
def test_a_stated_delay_is_removed_from_its_onset_on(tmp_path: Path, off: float) -> None:
    module = recorded(tmp_path, wander(), wander().shifted(off), delay="remove")
    for split in ("train", "val", "test"):
        (row,) = module.split_arrays(split)  # type: ignore[arg-type]
        assert relative_error(row.target[500:], 0.5 * row.input[500:]) < 1e-5
    (drift,) = texts(module, "drift")
    assert "corrected: wet.wav: the delay wanders by 18.0 samples" in drift
    moved = texts(module, "delay_file")
    assert len(moved) == (off != 0)
    assert all(f"d.csv are moved by {-off:+.2f} samples" in text for text in moved)


def test_where_it_is_removed_validation_and_test_also_know_the_input_that_is_not_warped(
    tmp_path: Path,
) -> None:
    module = recorded(tmp_path, wander(), wander(), delay="remove")
    for loader in (module.val_dataloader(), module.test_dataloader()):
        (batch,) = loader
        assert batch.delay is None
        assert batch.steady_input is not None
        steady, target = batch.steady_input[0, 0].numpy(), batch.target[0, 0].numpy()
        assert 0.05 < relative_error(target, 0.5 * steady) < 3
        # the constant is the middle of the delay
        dry = noise_bursts(SECONDS).astype(np.float32)
        wet = late(noise_bursts(SECONDS), wander()).astype(np.float32)
        place = int(np.flatnonzero(np.isclose(wet, target[700], rtol=0, atol=1e-9))[0])
        assert steady[700] == dry[place - 300]
    (batch, *_) = module.train_dataloader()
    assert batch.steady_input is None


@pytest.mark.parametrize("run_away", [0.0, 2500.0])
def test_a_given_delay_leads_from_the_output_to_the_target(tmp_path: Path, run_away: float) -> None:
    true = wander(run_away=run_away)
    module = recorded(tmp_path, true, true, delay="give")
    batches = [*module.train_dataloader(), *module.val_dataloader(), *module.test_dataloader()]
    for batch in batches:
        assert batch.delay is not None
        for row, length in enumerate(batch.valid_samples.tolist()):
            delay = batch.delay[row : row + 1, :, :length]
            assert float(delay.min()) >= LEAST_DELAY_SAMPLES
            # however far it runs away, a row is told what it changes by
            assert float(delay.max()) < LEAST_DELAY_SAMPLES + 30 + run_away / SECONDS * length / RATE
            heard = read_whole(0.5 * batch.input[row : row + 1, :, :length], delay, 0, 4096)
            settled = heard[0, 0, 512:].numpy()
            assert relative_error(settled, batch.target[row, 0, 512:length].numpy()) < 1e-4
    # reports and linear floors hear the input as the target does
    (row,) = module.split_arrays("val")
    assert relative_error(row.target, 0.5 * row.input) < 1e-5


def test_a_delay_that_stands_still_may_be_given_too(tmp_path: Path) -> None:
    dry = noise_bursts(SECONDS)
    write(tmp_path / "dry.wav", dry)
    write(tmp_path / "wet.wav", delayed(0.5 * dry, 300))
    paths = str(tmp_path / "dry.wav"), str(tmp_path / "wet.wav")
    module = PairedAudio(*paths, **SMALL, delay="give")  # type: ignore[arg-type]
    module.setup()
    (batch,) = module.val_dataloader()
    assert batch.delay is not None
    assert set(batch.delay.unique().tolist()) == {LEAST_DELAY_SAMPLES}
    shift = LEAST_DELAY_SAMPLES
    torch.testing.assert_close(batch.target[..., shift:], 0.5 * batch.input[..., :-shift], atol=1e-5, rtol=0)
    (said,) = texts(module, "drift")
    assert "note: wet.wav: the delay is constant: 'delay: give' has the same effect as 'keep'" in said


def test_a_burn_in_that_does_not_hold_the_delay_is_refused(tmp_path: Path) -> None:
    true = wander(swing=40.0)
    with pytest.raises(DataError, match=r"burn-in of 30; .*--data\.burn_in_samples 39"):
        recorded(tmp_path, true, true, delay="give", burn_in_samples=30)


@pytest.mark.usefixtures("timed_anew")
def test_long_recordings_are_read_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = recorded(tmp_path, wander(), wander(), delay="give")
    expected = [*whole.val_dataloader(), *whole.test_dataloader()]
    monkeypatch.setattr(delays, "BLOCK_SAMPLES", 7001)
    monkeypatch.setattr(delays, "LARGE_SAMPLES", 1000)
    monkeypatch.setenv("TAPEZOO_CACHE", str(tmp_path / "other"))
    again = recorded(tmp_path, wander(), wander(), delay="give")
    for batch, other in zip([*again.val_dataloader(), *again.test_dataloader()], expected, strict=True):
        for one, two in zip(batch, other, strict=True):
            if isinstance(one, torch.Tensor):
                torch.testing.assert_close(one, two, atol=1e-7, rtol=0)


# ---- what is known of the data


def test_the_hash_knows_the_mode_and_what_the_file_says_and_not_its_name(tmp_path: Path) -> None:
    def hash_of(stated: DelayTrajectory | None, mode: str) -> str:
        return recorded(tmp_path, wander(), stated, delay=mode).dataset_hash

    kept = hash_of(None, "keep")
    assert hash_of(wander(), "keep") == kept
    removed = hash_of(wander(), "remove")
    assert len({kept, removed, hash_of(wander(), "give"), hash_of(wander(swing=9.01), "remove")}) == 4
    (tmp_path / "d.csv").rename(tmp_path / "e.csv")
    write_trajectory(tmp_path / "e.csv", wander())
    text = (tmp_path / "p.yaml").read_text().replace("d.csv", "e.csv")
    (tmp_path / "p.yaml").write_text(text)
    module = PairedAudio(pairs=str(tmp_path / "p.yaml"), **SMALL, delay="remove")  # type: ignore[arg-type]
    module.setup()
    assert module.dataset_hash == removed


def test_a_delay_file_that_is_not_used_is_said(tmp_path: Path) -> None:
    (said,) = texts(recorded(tmp_path, wander(), wander(), delay="keep"), "delay_file")
    assert said == "warning: wet.wav: its delay file is not used: pass --data.delay remove, or give"


def test_audio_that_was_prepared_before_there_were_other_signals_is_still_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(tmp_path, wander(), None)
    (index,) = (tmp_path / "cache").glob("*/index.json")
    content = json.loads(index.read_text())
    for row in content["rows"]:
        assert row.pop("signals") == 2
    index.write_text(json.dumps(content))
    monkeypatch.setattr(paired_audio, "prepare_pair", None)  # whoever prepares again fails
    recorded(tmp_path, wander(), None)


def test_a_file_of_another_take_is_told_from_the_right_one(tmp_path: Path) -> None:
    module = recorded(tmp_path, wander(300), wander(600), delay="remove")
    (said,) = texts(module, "delay_file")
    assert "warning: wet.wav: the delays of d.csv are moved by -30" in said
    assert said.endswith("is it of this take?")


def test_a_file_that_ends_too_early_is_said(tmp_path: Path) -> None:
    true = wander(swing=0.0)
    short = DelayTrajectory(
        *(values[:150] for values in (true.times_s, true.delay_samples, true.confidence)), RATE
    )
    said = texts(recorded(tmp_path, true, short, delay="remove"), "delay_file")
    assert said == [
        "warning: wet.wav: d.csv covers 0.00 to 1.49 s of 3.00 s; outside this range the delay is constant"
    ]


@pytest.mark.parametrize(
    ("line", "arguments", "part"),
    [
        ("delay: d.csv, offset_samples: 3", {}, "pair 1 with offset_samples and delay"),
        ("delay: 3", {}, "the path of a CSV file"),
        ("delay: none.csv", {"delay": "remove"}, "none.csv"),
        (
            "split: train",
            {"delay": "remove", "align": "off"},
            "'delay: remove' with 'align: off' and no delay",
        ),
    ],
)
def test_contradictions_are_refused_before_any_work(
    tmp_path: Path, line: str, arguments: dict[str, str], part: str
) -> None:
    for name in ("dry.wav", "wet.wav"):
        write(tmp_path / name, noise_bursts(1.0))
    (tmp_path / "p.yaml").write_text(f"pairs: [{{dry: dry.wav, wet: wet.wav, {line}}}]")
    with pytest.raises(DataError, match=part):
        PairedAudio(pairs=str(tmp_path / "p.yaml"), **arguments)  # type: ignore[arg-type]


# ---- what timing says, one finding per fact


Measure = Callable[[PairTiming], None]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Measure:
    """Lets the audio have any timing."""

    def set_timing(timing: PairTiming) -> None:
        monkeypatch.setattr(pair_delays, "measure_timing", lambda *arguments: timing)

    return set_timing


def channel(constant: int = 0, fraction: float = 0.0, **others: object) -> ChannelTiming:
    return ChannelTiming(
        constant, fraction, **{"inverted": False, "confidence": 9.0, "found": True, **others}
    )  # type: ignore[arg-type]


def pair(folder: Path, channels: int = 1, **arguments: object) -> PairedAudio:
    dry = np.stack([plucked_notes(1.5, seed) for seed in range(channels)], axis=1)
    paths = write(folder / "dry.wav", dry), write(folder / "wet.wav", np.tanh(3 * dry))
    module = PairedAudio(*map(str, paths), **{**SMALL, **arguments})  # type: ignore[arg-type]
    module.setup()
    return module


def test_channels_are_cut_each_by_its_own_delay(tmp_path: Path) -> None:
    dry = np.stack([noise_bursts(SECONDS, seed) for seed in (1, 2)], axis=1)
    wet = np.stack([0.5 * delayed(dry[:, 0], 37), -0.5 * delayed(dry[:, 1], 437)], axis=1)
    paths = write(tmp_path / "dry.wav", dry), write(tmp_path / "wet.wav", wet)
    module = PairedAudio(*map(str, paths), **SMALL)  # type: ignore[arg-type]
    module.setup()
    for split in ("train", "val", "test"):
        first, second = module.split_arrays(split)  # type: ignore[arg-type]
        assert relative_error(first.target[100:-100], 0.5 * first.input[100:-100]) < 1e-5
        assert relative_error(second.target[100:-100], -0.5 * second.input[100:-100]) < 1e-5
    delays_said = texts(module, "delay")
    assert [text.split(" samples")[0] for text in delays_said] == [
        "corrected: wet.wav channel 1: lags dry by 37.0",
        "corrected: wet.wav channel 2: lags dry by 437.0",
    ]
    (polarity,) = texts(module, "polarity")
    assert "wet.wav channel 2: inverted" in polarity


def test_what_all_channels_share_is_said_once(tmp_path: Path, measured: Measure) -> None:
    measured(PairTiming((channel(5), channel(5))))
    (said,) = texts(pair(tmp_path, 2), "delay")
    assert "wet.wav: lags dry by 5.0" in said


def test_a_channel_without_a_delay_of_its_own_takes_the_others(tmp_path: Path, measured: Measure) -> None:
    measured(PairTiming((channel(0, found=False, confidence=1.1), channel(50))))
    module = pair(tmp_path, 2)
    (said,) = texts(module, "unaligned")
    assert "warning: wet.wav channel 1: no clear delay was found (confidence 1.10); that of channel 2" in said
    first, second = module.split_arrays("train")
    assert len(first.input) == len(second.input)


def test_a_fraction_of_a_sample_is_taken_off_dry(tmp_path: Path, measured: Measure) -> None:
    measured(PairTiming((channel(5, 0.4),)))
    dry = signal.sosfilt(signal.butter(8, 15000, fs=RATE, output="sos"), noise_bursts(SECONDS))
    paths = write(tmp_path / "dry.wav", dry), write(tmp_path / "wet.wav", 0.5 * delayed(dry, 5.4))
    module = PairedAudio(*map(str, paths), **SMALL)  # type: ignore[arg-type]
    module.setup()
    (row,) = module.split_arrays("train")
    assert relative_error(row.target[100:], 0.5 * row.input[100:]) < 1e-4
    (said,) = texts(module, "delay")
    assert said.endswith("corrected by 5, and dry is resampled to be 0.40 samples later")


JUMP = Jump(1.25, 0.05, -64.0)


@pytest.mark.parametrize("mode", ["keep", "remove", "give"])
def test_lost_samples_are_refused_or_followed(tmp_path: Path, measured: Measure, mode: str) -> None:
    times = np.array([0.0, 1.0, 1.0, 1.5])
    steps = DelayTrajectory(times, np.array([80.0, 80.0, 16.0, 16.0]), np.ones(4), RATE)
    measured(PairTiming((channel(16, wander=steps, jumps=(JUMP,)),)))
    if mode == "keep":
        part = r"64 samples lost at 1\.25 s \(within 0\.05 s\).*--data\.delay remove.*`tapezoo prepare`"
        with pytest.raises(DataError, match=part):
            pair(tmp_path)
        return
    module = pair(tmp_path, delay=mode)
    (said,) = texts(module, "jump")
    assert "corrected: wet.wav: 64 samples lost at 1.25 s; the delay steps there" in said


def test_a_rate_that_is_labelled_wrong_is_refused(tmp_path: Path, measured: Measure) -> None:
    measured(PairTiming((channel(0),), clock_ratio=44100 / 48000))
    with pytest.raises(DataError, match=r"wet\.wav: found audio that runs 0\.91875 times as long"):
        pair(tmp_path, delay="remove")


def test_two_clocks_are_a_warning_that_names_the_way_out(tmp_path: Path, measured: Measure) -> None:
    line = DelayTrajectory(np.array([0.0, 1.5]), np.array([10.0, 16.6]), np.ones(2), RATE)
    measured(PairTiming((channel(10, wander=line),), clock_ratio=1.0001))
    (said,) = texts(pair(tmp_path), "drift")
    assert "warning: wet.wav: the delay wanders by 6.6 samples" in said
    assert "(two clocks, +100.0 ppm apart)" in said
    assert "--data.delay remove" in said


def test_a_wet_that_is_longer_by_its_delay_is_a_pair(tmp_path: Path) -> None:
    dry = noise_bursts(SECONDS)
    late_by = round(0.5 * RATE)
    wet = 0.5 * np.concatenate([np.zeros(late_by), dry, np.zeros(round(0.8 * RATE))])
    paths = write(tmp_path / "dry.wav", dry), write(tmp_path / "wet.wav", wet)
    module = PairedAudio(*map(str, paths), **SMALL)  # type: ignore[arg-type]
    module.setup()
    (row,) = module.split_arrays("test")
    assert relative_error(row.target, 0.5 * row.input) < 1e-6
