"""Training leaves silence out, but for a share of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tapezoo.data import PairedAudio
from tapezoo.data.segments import segment_starts
from tapezoo.data.silence import pieces_of, silent_stretches

from .signals import RATE, amplifier, noise_bursts, write


def half_silent(folder: Path, hiss: float = 0.0, **arguments: object) -> PairedAudio:
    """Four seconds of nothing, then four of programme."""
    dry = noise_bursts(8.0)
    dry[: 4 * RATE] = 0
    wet = amplifier(dry) + hiss * np.random.default_rng(3).standard_normal(len(dry))
    write(folder / "dry.wav", dry)
    write(folder / "wet.wav", wet)
    module = PairedAudio(
        str(folder / "dry.wav"),
        str(folder / "wet.wav"),
        cache_dir=str(folder / "cache"),
        batch_size=20,
        segment_samples=2048,
        burn_in_samples=512,
        batches_per_epoch=20,
        **arguments,  # type: ignore[arg-type]
    )
    module.setup("fit")
    return module


def silent_share(module: PairedAudio) -> float:
    """Of the rows of an epoch, those in which dry never sounds."""
    rows = np.concatenate([batch.input[:, 0].numpy() for batch in module.train_dataloader()])
    return float(np.mean(np.abs(rows).max(axis=1) < 1e-4))


@pytest.mark.parametrize("hiss", [0.0, 0.003])
def test_rows_that_are_silent_in_dry_and_wet_are_left_out_but_for_a_share(
    tmp_path: Path, hiss: float
) -> None:
    module = half_silent(tmp_path, hiss)
    assert silent_share(module) == pytest.approx(0.05, abs=0.005)
    (said,) = (str(finding) for finding in module.findings if finding.kind == "silence")
    assert said.startswith("corrected: training: 5")  # of 7.2 s in training, 4 s
    assert "a share of 5% of the rows (--data.silent_share)" in said
    assert said in module.describe()


def test_the_share_is_the_users_and_one_takes_the_audio_as_it_lies(tmp_path: Path) -> None:
    assert silent_share(half_silent(tmp_path, silent_share=0.0)) == 0.0
    whole = half_silent(tmp_path, silent_share=1.0)
    assert silent_share(whole) > 0.5
    assert [finding for finding in whole.findings if finding.kind == "silence"] == []


def test_an_epoch_is_as_long_as_what_is_left(tmp_path: Path) -> None:
    lengths = []
    for share in (0.05, 1.0):
        module = half_silent(tmp_path, silent_share=share)
        module.batches_per_epoch = None
        lengths.append(len(module.train_dataloader()))
    assert lengths[0] < 0.55 * lengths[1]


def test_the_same_seed_draws_the_same_rows(tmp_path: Path) -> None:
    first, again, other = (
        next(iter(half_silent(tmp_path, seed=seed).train_dataloader())).input.numpy() for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_tail_under_silent_dry_is_no_silence_and_steady_hiss_is() -> None:
    dry = 0.1 * np.random.default_rng(0).standard_normal(4 * RATE).astype(np.float32)
    dry[RATE:] = 0
    decay = np.exp(-np.arange(4 * RATE) / (0.4 * RATE)).astype(np.float32)
    wet = np.concatenate([dry[:RATE], 0.1 * decay[: 3 * RATE]])
    ((start, stop),) = silent_stretches(dry, wet, RATE)
    assert start / RATE == pytest.approx(3.5, abs=0.2)
    assert stop == 4 * RATE
    hiss = 0.003 * np.random.default_rng(1).standard_normal(4 * RATE).astype(np.float32)
    assert silent_stretches(dry, dry + hiss, RATE) == [(RATE, 4 * RATE)]


def test_a_level_that_still_returns_is_no_silence() -> None:
    dry = 0.1 * np.random.default_rng(0).standard_normal(4 * RATE).astype(np.float32)
    dry[RATE:] = 0
    wet = dry + 0.3  # stands at an offset at rest; just after the programme its bias has still to return
    wet[RATE : 2 * RATE] += 0.05 * np.linspace(1, 0, RATE).astype(np.float32)
    ((start, _),) = silent_stretches(dry, wet, RATE)
    assert start / RATE == pytest.approx(2.0, abs=0.1)


def test_without_much_silence_rows_are_drawn_from_whole_regions_as_ever() -> None:
    lengths, row = [50_000, 30_000], 2000
    pieces = pieces_of(lengths, [[(10_000, 14_000)], []], row, 0.05)
    region, start = segment_starts(pieces, 400, 7, 3)
    rng = np.random.default_rng([7, 3])  # the rule before silence was looked at
    position = (np.arange(400) + rng.random(400)) / 400 * 80_000
    expected_region = (position >= 50_000).astype(int)
    length = np.array(lengths)[expected_region]
    share = (position - 50_000 * expected_region) / length
    order = rng.permutation(400)
    np.testing.assert_array_equal(region, expected_region[order])
    np.testing.assert_array_equal(start, (share * (length - row + 1)).astype(int)[order])


def test_rows_of_every_piece_stay_within_it() -> None:
    silent = [(0, 20_000), (30_000, 32_500), (49_000, 50_000)]
    pieces = pieces_of([50_000, 9_000], [silent, [(0, 9_000)]], 2000, 0.1)
    region, start = segment_starts(pieces, 2000, 0, 0)
    inside = region == 1
    for begin, end in silent:
        inside |= (region == 0) & (start >= begin) & (start + 2000 <= end)
    assert inside.mean() == pytest.approx(0.1, abs=0.002)
    assert start.min() >= 0
    assert (start + 2000 <= np.where(region == 0, 50_000, 9_000)).all()


def test_a_setting_of_nothing_but_silence_is_left_as_it_is() -> None:
    pieces = pieces_of([5000], [[(0, 5000)]], 2000, 0.05)
    assert pieces.silent_before == pieces.silent_after == 1.0
    assert len(segment_starts(pieces, 10, 0, 0)[0]) == 10
