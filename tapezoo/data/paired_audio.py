"""The user's own recordings."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tapezoo.data.align.trajectory_csv import read_trajectory
from tapezoo.data.audio import audio_hash
from tapezoo.data.cache import scratch
from tapezoo.data.claims import check_wets, repeated_findings, shared_samples
from tapezoo.data.delays import SIGNALS, DelayMode
from tapezoo.data.errors import DataError
from tapezoo.data.findings import Finding
from tapezoo.data.module import PairsDataModule
from tapezoo.data.named_recordings import (
    BURN_IN_SAMPLES,
    LONGER_AUDIO,
    SEGMENT_SAMPLES,
    named_pairs,
    read_headers,
)
from tapezoo.data.pair_delays import Align, Settled, settle_together
from tapezoo.data.pairs import Pair, PairsFile
from tapezoo.data.prepare import prepare_pair
from tapezoo.data.prepared import PreparedRow
from tapezoo.data.settings import HoldOut, Setting, check_trainable, draw_held_out, setting_text
from tapezoo.data.splits import TRAIN_SHARE, VAL_SHARE, Split

REVISION = 4  # raise it when preparation changes what comes out


class PairedAudio(PairsDataModule):
    """Dry and wet recordings: one pair, or a pairs file with many, their control values and splits.

    Args:
        dry: Recording of the device's input (with `wet`: the short form for one pair).
        wet: Recording of its output.
        pairs: YAML or CSV file with any number of pairs; instead of `dry` and `wet`.
        batch_size: Rows per training batch, at least 1.
        segment_samples: Scored samples per training row.
        batches_per_epoch: Length of an epoch, so that a recipe's budget does not depend on the amount of audio; by
            default as many batches as cover the training audio once.
        burn_in_samples: Unscored samples before each segment, which bring the model's state up to date.
        seed: Seed of the choice of segments in every epoch.
        align: "auto" detects and removes a constant delay of either sign; "off" uses the files unchanged.
        delay: How to treat a wandering delay (wow, flutter, two clocks), stated by `delay` in a pairs file or measured
            from the audio. "keep" removes only its constant part. "remove" warps the input along it, also in validation
            and test; `tapezoo test` reports both errors. "give" applies it to the model's output before the comparison,
            so that the model learns the machine without its transport.
        balance_energy: Give every control setting the same weight in a loss that is not normalised, such as MSE: rows
            are divided by the RMS of their setting's training target before the loss.
        silent_share: Largest share of training rows that are silent in dry and wet, 0 to 1; the rest of the silence
            is left out. 1 uses all of the audio.
        hold_out: Rule that chooses control settings to leave out of training and validation; by default those with
            `held_out` in the pairs file.
        cache_dir: Folder for prepared audio; by default TAPEZOO_CACHE from the environment, or the user's cache.

    Raises:
        TapezooError: A missing or unreadable file, files that do not fit together, a faulty pairs file.
    """

    longer_audio = LONGER_AUDIO

    def __init__(
        self,
        dry: str | None = None,
        wet: str | None = None,
        pairs: str | None = None,
        batch_size: int = 32,
        segment_samples: int = SEGMENT_SAMPLES,
        batches_per_epoch: int | None = None,
        burn_in_samples: int = BURN_IN_SAMPLES,
        seed: int = 0,
        align: Align = "auto",
        delay: DelayMode = "keep",
        balance_energy: bool = False,
        silent_share: float = 0.05,
        hold_out: HoldOut | None = None,
        cache_dir: str | None = None,
    ) -> None:
        self._file = named_pairs(dry, wet, pairs)
        held_out = _held_out(self._file, hold_out)
        headers = read_headers(self._file)
        first = headers[0][0]
        for pair in self._file.pairs if delay != "keep" else ():
            _check_delay_file(pair, first.sample_rate, align, delay)
        super().__init__(
            first.sample_rate,
            self._file.controls,
            batch_size,
            segment_samples,
            batches_per_epoch,
            burn_in_samples,
            seed,
            balance_energy,
            silent_share,
            cache_dir,
            held_out,
            self._file.switches,
        )
        for pair, (dry_header, wet_header) in zip(self._file.pairs, headers, strict=True):
            shorter = min(dry_header, wet_header, key=lambda header: header.frames)
            split: Split = "test" if self._file.setting(pair) in held_out else pair.split or "train"
            share = {"train": TRAIN_SHARE, "val": VAL_SHARE, "test": 1 - TRAIN_SHARE - VAL_SHARE}[split]
            shared = shared_samples(dry_header, wet_header, pair.offset_samples or 0)
            samples = round(shared * (1.0 if pair.split else share))
            self._check_region(str(shorter.path), split, samples)
        self._align: Align = align
        self._delay: DelayMode = delay
        self._samples = sum(dry_header.frames * dry_header.channels for dry_header, _ in headers)

    @property
    def title(self) -> str:
        """See `PairsDataModule.title`: the first recording, and how many others there are."""
        first, *others = dict.fromkeys(pair.wet.stem for pair in self._file.pairs)
        return f"{first} and {len(others)} more" if others else first

    @cached_property
    def _hashes(self) -> dict[Path, str]:
        paths = {path for pair in self._file.pairs for path in (pair.dry, pair.wet)}
        return {path: audio_hash(path) for path in paths}

    def fingerprint(self) -> dict[str, Any]:
        """Hashes of the files' samples, control values, splits, offsets and the way of aligning."""
        hashes = self._hashes
        check_wets(self._file, hashes)
        return {
            "data": "PairedAudio",
            "revision": REVISION,
            "align": self._align,
            **({} if self._delay == "keep" else {"delay": self._delay}),
            "controls": [control.to_dict() for control in self._file.controls],
            "pairs": [
                {
                    "dry": hashes[pair.dry],
                    "wet": hashes[pair.wet],
                    "controls": dict(pair.controls),
                    "split": pair.split,
                    "offset_samples": pair.offset_samples,
                    **self._stated_delay(pair),
                }
                for pair in self._file.pairs
            ],
        }

    def row_names(self) -> list[str]:
        """The wet files' names, with their folder or a number where names repeat."""
        return _unique_names(self._file.pairs)

    def prepared_samples(self) -> int:
        """From the headers; decoding needs as much again for temporary files."""
        return round(2 * self._samples * SIGNALS[self._delay] / SIGNALS["keep"])

    def other_findings(self) -> list[Finding]:
        """Delay files that are named and not used."""
        if self._delay != "keep":
            return []
        text = "its delay file is not used: pass --data.delay remove, or give"
        return [
            Finding("warning", "delay_file", name, text)
            for name, pair in zip(self.row_names(), self._file.pairs, strict=True)
            if pair.delay is not None
        ]

    def _settled(self) -> list[Settled | None]:
        """The delays of pairs that are recordings of one machine at one setting; None: of a pair that stands alone."""
        settled: list[Settled | None] = [None] * len(self._file.pairs)
        groups: dict[Setting, list[int]] = {}
        for number, pair in enumerate(self._file.pairs):
            groups.setdefault(self._file.setting(pair), []).append(number)
        for members in groups.values():
            if len(members) == 1:
                continue
            together = settle_together(
                [self._file.pairs[number] for number in members],
                self.sample_rate,
                self._align,
                self._delay,
                lambda: scratch(self._cache_root),
            )
            for number, one in zip(members, together, strict=True):
                settled[number] = one
        return settled

    def _stated_delay(self, pair: Pair) -> dict[str, Any]:
        """What the pair's delay file says, whatever it is called."""
        if self._delay == "keep" or pair.delay is None:
            return {}
        stated = read_trajectory(pair.delay, self.sample_rate)
        points = np.stack((stated.times_s, stated.delay_samples)).astype("<f8")
        return {"delay": hashlib.sha256(points.tobytes()).hexdigest()}

    def prepare_rows(self) -> Iterator[PreparedRow]:
        """Reads, checks and aligns pair after pair."""
        names = self.row_names()
        repeated = repeated_findings(self._file, self._hashes, names)
        settled = self._settled()
        for number, (name, pair) in enumerate(zip(names, self._file.pairs, strict=True)):
            positions = self._file.positions(pair)
            with scratch(self._cache_root) as folder:
                rows = prepare_pair(
                    name,
                    pair,
                    positions,
                    self.sample_rate,
                    self._align,
                    self._delay,
                    folder,
                    settled[number],
                )
                mine = [finding for finding in repeated if finding.subject == name]
                yield from [replace(rows[0], findings=[*rows[0].findings, *mine]), *rows[1:]]


def _check_delay_file(pair: Pair, sample_rate: int, align: Align, mode: DelayMode) -> None:
    """Raises DataError where a delay file is faulty, or is the only way to a delay and is not there."""
    if pair.delay is not None:
        read_trajectory(pair.delay, sample_rate)
    elif align == "off":
        raise DataError(
            str(pair.wet),
            found=f"'delay: {mode}' with 'align: off' and no delay file",
            expected="a delay that is found in the audio, or stated by the pairs file",
            fix="Pass --data.align auto, or name a delay file in the pairs file.",
        )


def _held_out(file: PairsFile, rule: HoldOut | None) -> frozenset[Setting]:
    """The settings held out, by the file or by a rule; refused where they leave nothing to train or to test on."""
    recorded = [file.setting(pair) for pair in file.pairs]
    named, drawn = file.held_out(), draw_held_out(rule, recorded, file.controls)
    if named and drawn:
        raise DataError(
            "--data.hold_out",
            found="a rule, and held_out in the pairs file",
            expected="one of the two",
            fix="Leave one out.",
        )
    held_out = named | drawn
    check_trainable(held_out, recorded, file.controls)
    for setting in held_out:
        splits = [pair.split for pair in file.pairs if file.setting(pair) == setting]
        if not any(split in (None, "test") for split in splits):
            raise DataError(
                f"the held-out setting {setting_text(file.controls, setting)}",
                found=f"recordings in the split {splits[0]!r} only",
                expected="audio to test on",
                fix="Leave 'split' out, or hold out another setting.",
            )
    return held_out


def _unique_names(pairs: list[Pair]) -> list[str]:
    short = [pair.wet.name for pair in pairs]
    count = Counter(short)
    long = [
        f"{pair.wet.parent.name}/{name}" if count[name] > 1 else name
        for name, pair in zip(short, pairs, strict=True)
    ]
    count = Counter(long)
    named: list[str] = []
    for number, name in enumerate(long, start=1):
        unique = f"{name} ({number})" if count[name] > 1 else name
        while unique in named or (unique != name and unique in count):  # a file may already have that name
            unique = f"{unique} ({number})"
        named.append(unique)
    return named
