"""Recordings from file to batch."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from lightning.fabric.utilities.data import _set_sampler_epoch

from tapezoo.data import PairedAudio
from tapezoo.data import cache as cache_module
from tapezoo.data.errors import CacheError, DataError, SoundFileError
from tapezoo.errors import TapezooError

from .signals import RATE, amplifier, delayed, noise_bursts, plucked_notes, write


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPEZOO_CACHE", str(tmp_path / "cache"))


def recorded(folder: Path, dry: np.ndarray, wet: np.ndarray, **arguments: object) -> PairedAudio:
    """The module after setup, on the two signals."""
    dry_path, wet_path = write(folder / "dry.wav", dry), write(folder / "wet.wav", wet)
    module = PairedAudio(str(dry_path), str(wet_path), **arguments)  # type: ignore[arg-type]
    module.prepare_data()
    module.setup("fit")
    return module


def kinds(module: PairedAudio) -> dict[str, str]:
    """Finding texts by kind."""
    return {finding.kind: str(finding) for finding in module.findings}


def three_settings(folder: Path) -> Path:
    """One dry, three settings, each with its own lag, one of them leading."""
    dry = plucked_notes(4.0)
    write(folder / "dry.wav", dry)
    for name, lag in (("low", 0), ("mid", 1024), ("high", -96)):
        write(folder / f"{name}.wav", amplifier(delayed(dry, lag)))
    path = folder / "pairs.csv"
    path.write_text("dry,wet,gain\ndry.wav,low.wav,0\ndry.wav,mid.wav,5\ndry.wav,high.wav,10\n")
    return path


# ---- loaders


def test_rows_are_burn_in_and_segment_of_the_aligned_training_part(tmp_path: Path) -> None:
    dry = noise_bursts(4.0)
    module = recorded(
        tmp_path, dry, delayed(0.5 * dry, 1024), batch_size=4, segment_samples=2048, burn_in_samples=512
    )
    assert module.sample_rate == RATE
    assert module.controls == []
    (train,) = module.split_arrays("train")
    loader = module.train_dataloader()
    assert len(loader) == round(len(train.input) / 2048 / 4)
    for batch in loader:
        assert batch.input.shape == batch.target.shape == (4, 1, 512 + 2048)
        assert batch.controls.shape == (4, 0)
        assert batch.valid_samples.tolist() == [2560] * 4
        # aligned: the device was a gain of one half
        torch.testing.assert_close(batch.target, 0.5 * batch.input, atol=1e-4, rtol=0)
        for row in batch.input[:, 0].numpy():
            start = np.flatnonzero(np.isclose(train.input, row[0], rtol=0, atol=0))
            assert any(np.array_equal(train.input[s : s + 2560], row) for s in start)


def test_epochs_are_reproducible_and_differ_from_each_other(tmp_path: Path) -> None:
    dry = noise_bursts(4.0)
    wet = amplifier(dry)

    def epoch(module: PairedAudio, number: int) -> torch.Tensor:
        loader = module.train_dataloader()
        _set_sampler_epoch(loader, number)  # what Lightning's fit loop calls
        return torch.cat([batch.input for batch in loader])

    module = recorded(tmp_path, dry, wet, batch_size=4, segment_samples=2048)
    again = recorded(tmp_path, dry, wet, batch_size=4, segment_samples=2048)
    other_seed = recorded(tmp_path, dry, wet, batch_size=4, segment_samples=2048, seed=1)
    assert torch.equal(epoch(module, 3), epoch(again, 3))
    assert not torch.equal(epoch(module, 3), epoch(module, 4))
    assert not torch.equal(epoch(module, 3), epoch(other_seed, 3))


def test_an_epoch_covers_the_training_audio(tmp_path: Path) -> None:
    module = recorded(
        tmp_path, noise_bursts(8.0), amplifier(noise_bursts(8.0)), batch_size=2, segment_samples=2048
    )
    loader = module.train_dataloader()
    starts = np.sort(np.concatenate([chosen.starts for chosen in loader.sampler]))
    (train,) = module.split_arrays("train")
    # one start per stratum: no gap wider than two strata, and the ends are reached
    assert np.diff(starts).max() < 2.1 * 2048
    assert starts[0] < 2100
    assert starts[-1] > len(train.input) - 2 * 2048 - 1024 - 100


def test_a_batch_is_filled_when_the_recording_is_short(tmp_path: Path) -> None:
    module = recorded(tmp_path, noise_bursts(1.0), amplifier(noise_bursts(1.0)), batch_size=32)
    (batch,) = list(module.train_dataloader())
    assert batch.input.shape == (32, 1, 9216)


def test_whole_regions_are_padded_and_say_their_length_and_place(tmp_path: Path) -> None:
    for name, seconds in (("a", 4.0), ("b", 2.0)):
        write(tmp_path / f"{name}_dry.wav", noise_bursts(seconds))
        write(tmp_path / f"{name}_wet.wav", amplifier(noise_bursts(seconds)))
    (tmp_path / "p.csv").write_text("dry,wet\na_dry.wav,a_wet.wav\nb_dry.wav,b_wet.wav\n")
    module = PairedAudio(pairs=str(tmp_path / "p.csv"))
    module.setup()
    (batch,) = list(module.test_dataloader())
    long, short = module.split_arrays("test")
    assert batch.valid_samples.tolist() == [len(long.input), len(short.input)]
    assert batch.names == [long.name, short.name]
    assert "a_wet.wav [test 3." in long.name
    np.testing.assert_array_equal(batch.target[1, 0, : len(short.input)].numpy(), short.target)
    assert not batch.input[1, 0, len(short.input) :].any()


def test_splits_do_not_overlap_even_between_pairs_that_share_a_dry_file(tmp_path: Path) -> None:
    module = PairedAudio(pairs=str(three_settings(tmp_path)), segment_samples=4096)
    module.setup()
    for other in ("val", "test"):
        for region in module.split_arrays(other):  # type: ignore[arg-type]
            excerpt = region.input[1000:1032]  # 32 samples of noise-like attack or of a decaying note: unique
            for train in module.split_arrays("train"):
                windows = np.lib.stride_tricks.sliding_window_view(train.input, 32)
                assert not (windows == excerpt).all(axis=1).any()


def test_each_setting_gets_its_own_lag_and_its_control_values(tmp_path: Path) -> None:
    module = PairedAudio(pairs=str(three_settings(tmp_path)), segment_samples=4096)
    module.setup()
    low, mid, high = module.split_arrays("train")
    assert [float(row.controls[0]) for row in (low, mid, high)] == [0.0, 0.5, 1.0]
    assert module.controls[0]["name"] == "gain"
    delays = [str(finding) for finding in module.findings if finding.kind == "delay"]
    assert len(delays) == 2
    assert "mid.wav: lags dry by 1024" in delays[0]
    assert "high.wav: leads dry by 96" in delays[1]
    for row in (low, mid, high):  # all three are the same amplifier now
        expected = amplifier(row.input.astype(float))[2000:20000]
        error = np.sum((row.target[2000:20000] - expected) ** 2) / np.sum(expected**2)
        assert error < 2e-3
    for batch in module.train_dataloader():
        for name, value in zip(batch.names, batch.controls[:, 0].tolist(), strict=True):
            assert value == {"low": 0.0, "mid": 0.5, "hig": 1.0}[name[:3]]


def test_splits_by_file_take_whole_files(tmp_path: Path) -> None:
    write(tmp_path / "dry.wav", noise_bursts(3.0))
    for split in ("train", "val", "test"):
        write(tmp_path / f"{split}.wav", amplifier(noise_bursts(3.0)))
    rows = "".join(f"dry.wav,{split}.wav,{split}\n" for split in ("train", "val", "test"))
    (tmp_path / "p.csv").write_text("dry,wet,split\n" + rows)
    module = PairedAudio(pairs=str(tmp_path / "p.csv"))
    module.setup()
    for split in ("train", "val", "test"):
        (row,) = module.split_arrays(split)  # type: ignore[arg-type]
        assert row.name == f"{split}.wav [{split} 0.00-3.00 s]"


def test_channels_of_a_stereo_pair_are_independent_rows(tmp_path: Path) -> None:
    left, right = noise_bursts(3.0, 1), noise_bursts(3.0, 2)
    dry = np.stack([left, right], axis=1)
    module = recorded(tmp_path, dry, np.stack([amplifier(left), -amplifier(right)], axis=1))
    first, second = module.split_arrays("train")
    np.testing.assert_array_equal(first.input, left[: len(first.input)].astype(np.float32))
    np.testing.assert_array_equal(second.input, right[: len(second.input)].astype(np.float32))
    assert "channel 1" in first.name
    assert "channel 2" in second.name


# ---- corrected and warned


def test_a_given_offset_is_used_and_not_estimated(tmp_path: Path) -> None:
    dry = noise_bursts(3.0)
    write(tmp_path / "dry.wav", dry)
    write(tmp_path / "wet.wav", delayed(0.5 * dry, 300))
    (tmp_path / "p.yaml").write_text("pairs: [{dry: dry.wav, wet: wet.wav, offset_samples: 290}]")
    module = PairedAudio(pairs=str(tmp_path / "p.yaml"))
    module.setup()
    (row,) = module.split_arrays("train")
    np.testing.assert_allclose(row.target[10:5000], 0.5 * row.input[:4990], atol=1e-4)
    assert "delay" not in kinds(module)


def test_align_off_takes_files_as_they_lie(tmp_path: Path) -> None:
    dry = noise_bursts(3.0)
    module = recorded(tmp_path, dry, delayed(0.5 * dry, 300), align="off")
    (row,) = module.split_arrays("train")
    np.testing.assert_array_equal(row.input[:5000], dry[:5000].astype(np.float32))


def test_the_device_keeps_its_polarity_dc_and_clipping_and_the_user_is_told(tmp_path: Path) -> None:
    dry = plucked_notes(4.0)
    wet = np.clip(-3 * amplifier(dry) - 0.37, -1, 1)  # like the Klon recordings
    module = recorded(tmp_path, dry, wet)
    found = kinds(module)
    assert "inverted polarity" in found["polarity"]
    assert f"{wet.astype(np.float32).mean():+.3f}" in found["dc"]
    share = wet.mean() ** 2 / np.mean(np.square(wet))
    assert f"{share:.0%} of the energy that errors are divided by" in found["dc"]
    assert f"linear floor are {1 / (1 - share):.2g} times smaller" in found["dc"]
    assert "clipped at -1.0000 (bottom)" in found["clipping"]
    (row,) = module.split_arrays("train")
    np.testing.assert_array_equal(row.target, wet[: len(row.target)].astype(np.float32))


def test_samples_over_full_scale_are_kept_and_named(tmp_path: Path) -> None:
    dry = noise_bursts(3.0)
    wet = amplifier(dry)
    wet *= 10 ** (5 / 20) / np.abs(wet).max()
    module = recorded(tmp_path, dry, wet)
    (loud,) = [finding for finding in module.findings if finding.kind == "over_full_scale"]
    assert (loud.severity, loud.subject) == ("note", "wet.wav (wet)"), (
        "a float file holds them: nothing is wrong"
    )
    assert "up to 5.0 dBFS; they are kept. They are not clipped" in loud.text
    assert max(
        float(np.abs(row.target).max())
        for split in ("train", "val", "test")
        for row in module.split_arrays(split)
    ) == pytest.approx(10**0.25, rel=1e-5)  # type: ignore[arg-type]


def test_a_level_that_no_correction_of_an_offset_makes_is_warned_of(tmp_path: Path) -> None:
    dry = noise_bursts(3.0)
    wet = amplifier(dry)
    module = recorded(tmp_path, dry, 2.1 * wet / np.abs(wet).max())
    assert [one.severity for one in module.findings if one.kind == "over_full_scale"] == ["warning"]


def test_what_is_wrong_with_dry_is_said_of_its_own_file(tmp_path: Path) -> None:
    dry = noise_bursts(3.0)
    dry *= 1.2 / np.abs(dry).max()
    module = recorded(tmp_path, dry, 0.5 * amplifier(dry))
    (loud,) = [finding for finding in module.findings if finding.kind == "over_full_scale"]
    assert loud.subject == "dry.wav (dry)"


def test_unequal_tails_are_cut_and_reported(tmp_path: Path) -> None:
    dry = noise_bursts(3.0)
    module = recorded(tmp_path, dry, np.concatenate([amplifier(dry), np.zeros(5000)]))
    assert "wet.wav: 5000 samples longer" in kinds(module)["tail"]


def test_a_clean_recording_gets_no_warning(tmp_path: Path) -> None:
    dry = noise_bursts(3.0)
    module = recorded(tmp_path, dry, amplifier(dry) - amplifier(dry).mean())
    assert [str(finding) for finding in module.findings if finding.severity == "warning"] == []


def test_the_noise_floor_gives_the_best_reachable_esr(tmp_path: Path) -> None:
    dry = noise_bursts(4.0)
    dry[RATE : 2 * RATE] = 0
    noise = 0.003 * np.random.default_rng(7).standard_normal(len(dry))
    module = recorded(tmp_path, dry, amplifier(dry) + noise)
    expected = 0.003**2 / np.mean((amplifier(dry) + noise) ** 2)
    reported = float(kinds(module)["noise_floor"].rsplit(" ", 1)[1])
    assert reported == pytest.approx(expected, rel=0.1)
    assert "-50.5 dBFS" in kinds(module)["noise_floor"]
    assert "noise floor" in module.describe()


def test_a_wandering_delay_is_a_warning(tmp_path: Path) -> None:
    dry = noise_bursts(5.0)
    time = np.arange(len(dry))
    wet = np.interp(time - 300 - 10 * np.sin(2 * np.pi * 0.5 * time / RATE), time, dry)
    module = recorded(tmp_path, dry, wet)
    assert "wanders by" in kinds(module)["drift"]


def test_unrelated_files_are_left_unaligned_with_a_warning(tmp_path: Path) -> None:
    module = recorded(tmp_path, plucked_notes(4.0, 1), amplifier(plucked_notes(4.0, 2)))
    assert "offset_samples" in kinds(module)["unaligned"]
    assert "delay" not in kinds(module)


# ---- refused

Fault = Callable[[Path, Path], None]


def _truncate(dry: Path, wet: Path) -> None:
    wet.write_bytes(b"")


def _no_samples(dry: Path, wet: Path) -> None:
    write(wet, np.zeros(0))


def _text(dry: Path, wet: Path) -> None:
    wet.write_text("this is not audio")


def _nan(dry: Path, wet: Path) -> None:
    audio = amplifier(noise_bursts(3.0))
    audio[RATE] = np.nan
    write(wet, audio)


def _silent(dry: Path, wet: Path) -> None:
    write(wet, np.full(3 * RATE, 0.2))  # a constant offset is silence, too


def _same(dry: Path, wet: Path) -> None:
    shutil.copy(dry, wet)


def _same_but_late_and_16_bit(dry: Path, wet: Path) -> None:
    audio, _ = soundfile.read(dry)
    write(wet, delayed(audio, 500), subtype="PCM_16")


@pytest.mark.parametrize(
    ("fault", "error", "part"),
    [
        (lambda dry, wet: wet.unlink(), SoundFileError, "no file"),
        (_truncate, SoundFileError, "0 bytes"),
        (_no_samples, SoundFileError, "0 samples"),
        (_text, SoundFileError, "cannot be decoded"),
        (
            lambda dry, wet: write(wet, amplifier(noise_bursts(3.0)), rate=48000),
            DataError,
            "48000 Hz against 44100",
        ),
        (lambda dry, wet: write(wet, np.zeros((3 * RATE, 2))), DataError, "stereo against mono"),
        (
            lambda dry, wet: write(wet, noise_bursts(4.1)),
            DataError,
            "4.10 s against 3.00 s.*1.10 s apart",
        ),
        (_nan, SoundFileError, "1 NaN or infinite samples, the first at 1.000 s"),
        (_silent, SoundFileError, "silence"),
        (_same, DataError, "the same signal"),
        (_same_but_late_and_16_bit, DataError, "the same signal"),
    ],
)
def test_a_fault_has_its_own_error_that_names_the_file(
    tmp_path: Path, fault: Fault, error: type[TapezooError], part: str
) -> None:
    dry = write(tmp_path / "dry.wav", noise_bursts(3.0))
    wet = write(tmp_path / "wet.wav", amplifier(noise_bursts(3.0)))
    fault(dry, wet)
    with pytest.raises(error, match=part) as caught:
        PairedAudio(str(dry), str(wet)).setup()
    assert str(wet) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_file_shorter_than_a_segment_is_refused_with_the_smallest_remedy(tmp_path: Path) -> None:
    write(tmp_path / "dry.wav", noise_bursts(0.2))
    write(tmp_path / "wet.wav", amplifier(noise_bursts(0.2)))
    arguments = {"dry": str(tmp_path / "dry.wav"), "wet": str(tmp_path / "wet.wav")}
    with pytest.raises(DataError, match=r"7056 samples.*at least 9216.*--data\.segment_samples 4096"):
        PairedAudio(**arguments)
    with pytest.raises(DataError, match=r"val part.*--data\.burn_in_samples 240"):
        PairedAudio(**arguments, segment_samples=4096).setup()
    PairedAudio(**arguments, segment_samples=240, burn_in_samples=240).setup()


def test_faults_that_headers_show_are_found_at_once_for_every_pair(tmp_path: Path) -> None:
    path = three_settings(tmp_path)
    write(tmp_path / "high.wav", plucked_notes(4.0), rate=48000)
    with pytest.raises(DataError, match=r"high\.wav"):
        PairedAudio(pairs=str(path))


@pytest.mark.parametrize("given", [{}, {"dry": "a.wav"}, {"dry": "a.wav", "wet": "b.wav", "pairs": "c.yaml"}])
def test_contradicting_or_missing_files_are_refused(given: dict[str, str]) -> None:
    with pytest.raises(DataError, match=r"--data\.dry with --data\.wet, or --data\.pairs"):
        PairedAudio(**given)  # type: ignore[arg-type]


def test_no_validation_audio_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "dry.wav", noise_bursts(3.0))
    write(tmp_path / "wet.wav", amplifier(noise_bursts(3.0)))
    (tmp_path / "p.yaml").write_text("pairs: [{dry: dry.wav, wet: wet.wav, split: train}]")
    with pytest.raises(DataError, match="'val'"):
        PairedAudio(pairs=str(tmp_path / "p.yaml")).setup()


# ---- cache


def test_the_second_setup_reads_the_memory_map_and_the_hash_knows_no_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dry, wet = noise_bursts(3.0), amplifier(delayed(noise_bursts(3.0), 50))
    first = recorded(tmp_path, dry, wet)
    monkeypatch.setattr(PairedAudio, "prepare_rows", _must_not_run)
    second = recorded(tmp_path, dry, wet, batch_size=4, segment_samples=1024, seed=3)
    assert second.findings == first.findings
    monkeypatch.undo()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("dry", "wet"):  # another container around the same samples
        samples, _ = soundfile.read(tmp_path / f"{name}.wav", dtype="float32")
        soundfile.write(elsewhere / f"{name}.au", samples, RATE, subtype="FLOAT", format="AU")
    moved = PairedAudio(
        str(elsewhere / "dry.au"), str(elsewhere / "wet.au"), cache_dir=str(tmp_path / "other")
    )
    moved.setup()
    assert first.dataset_hash == second.dataset_hash == moved.dataset_hash
    changed = wet.copy()
    changed[1000] += 0.01
    assert (
        recorded(elsewhere, dry, changed, cache_dir=str(tmp_path / "cache")).dataset_hash
        != first.dataset_hash
    )
    assert (
        recorded(elsewhere, dry, wet, align="off", cache_dir=str(tmp_path / "cache")).dataset_hash
        != first.dataset_hash
    )


def _must_not_run(self: PairedAudio) -> None:
    raise AssertionError("prepared again")


@pytest.mark.parametrize("name", [cache_module.AUDIO_FILE, cache_module.INDEX_FILE])
def test_a_damaged_cache_is_rebuilt(tmp_path: Path, name: str) -> None:
    dry, wet = noise_bursts(3.0), amplifier(noise_bursts(3.0))
    expected = recorded(tmp_path, dry, wet).split_arrays("val")[0].target.copy()
    (damaged,) = (tmp_path / "cache").glob(f"*/{name}")
    content = bytearray(damaged.read_bytes())
    content[int(0.925 * len(content))] ^= 0xFF  # of the audio: in the validation part of the target
    damaged.write_bytes(content)
    np.testing.assert_array_equal(recorded(tmp_path, dry, wet).split_arrays("val")[0].target, expected)
    assert len(list((tmp_path / "cache").iterdir())) == 1  # nothing is left beside it


def test_a_process_that_comes_second_leaves_the_first_ones_store(tmp_path: Path) -> None:
    module = recorded(tmp_path, noise_bursts(3.0), amplifier(noise_bursts(3.0)))
    root = tmp_path / "cache"
    (place,) = root.iterdir()
    before = (place / cache_module.AUDIO_FILE).stat().st_ino
    cache_module.write_store(root, place.name, module.prepare_rows())
    assert (place / cache_module.AUDIO_FILE).stat().st_ino == before
    assert [entry.name for entry in root.iterdir()] == [place.name]


def test_an_interrupted_preparation_leaves_nothing(tmp_path: Path) -> None:
    wet = amplifier(noise_bursts(3.0))
    wet[5] = np.inf
    with pytest.raises(SoundFileError):
        recorded(tmp_path, noise_bursts(3.0), wet)
    assert list((tmp_path / "cache").iterdir()) == []


def test_what_a_killed_preparation_left_is_removed_a_day_later_and_what_is_at_work_is_not(
    tmp_path: Path,
) -> None:
    root = tmp_path / "cache"
    day_ago = time.time() - 25 * 3600
    for name, written in (("building-a", day_ago), ("reading-b", day_ago), ("building-c", time.time())):
        (root / name).mkdir(parents=True)
        (root / name / "audio.f32").write_bytes(b"0")
        os.utime(root / name / "audio.f32", (written, written))
        os.utime(root / name, (day_ago, day_ago))
    recorded(tmp_path, noise_bursts(3.0), amplifier(noise_bursts(3.0)))
    assert sorted(path.name for path in root.glob("*-*")) == ["building-c"]


def test_an_unwritable_cache_says_what_to_set(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(CacheError, match=r"TAPEZOO_CACHE or --data\.cache_dir") as caught:
        recorded(tmp_path, noise_bursts(3.0), amplifier(noise_bursts(3.0)), cache_dir=str(blocker / "cache"))
    assert str(blocker / "cache") in str(caught.value)


def test_a_validation_split_without_any_target_is_refused(tmp_path: Path) -> None:
    dry = noise_bursts(10.0)
    wet = amplifier(dry)
    wet[len(wet) * 7 // 10 :] = 0.0  # the machine was switched off too early
    with pytest.raises(DataError, match=r"'val'.*completely silent"):
        recorded(tmp_path, dry, wet, segment_samples=1024, burn_in_samples=64)


def test_an_offset_given_for_files_of_equal_length_is_no_length_fault(tmp_path: Path) -> None:
    dry = noise_bursts(20.0)
    wet = delayed(amplifier(dry), 1.5 * RATE)
    write(tmp_path / "dry.wav", dry)
    write(tmp_path / "wet.wav", wet[: len(dry)])
    pairs = tmp_path / "pairs.yaml"
    pairs.write_text(f"pairs:\n  - {{dry: dry.wav, wet: wet.wav, offset_samples: {int(1.5 * RATE)}}}\n")
    module = PairedAudio(pairs=str(pairs), segment_samples=1024, burn_in_samples=64)
    module.setup("fit")
    row = module.split_arrays("train")[0]
    np.testing.assert_allclose(row.target, amplifier(row.input), atol=1e-4)
