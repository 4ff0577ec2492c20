"""The folder of a prepared data set: sound files, trajectories, pairs.yaml and report.json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapezoo.controls import Control
from tapezoo.data.align.trajectory_csv import write_trajectory
from tapezoo.data.audio import Audio
from tapezoo.data.streams import extremes, release
from tapezoo.errors import UnwritableOutputError
from tapezoo.recordings.laying import Laid
from tapezoo.recordings.preparation import PairReport, Preparation, WrittenPair
from tapezoo.recordings.report_file import report_document
from tapezoo.recordings.scratch import spans
from tapezoo.render.soundfiles import LIMITS, Layout, open_writer, write_block
from tapezoo.terminal import plain

PAIRS, REPORT = "pairs.yaml", "report.json"
FLAC_RATE_HZ = 65_535  # above it FLAC takes tens of Hz alone


def is_dataset(folder: Path) -> bool:
    """Whether `tapezoo prepare` wrote this folder."""
    return (folder / PAIRS).is_file() and (folder / REPORT).is_file()


def write_audio(folder: Path, name: str, laid: Laid, sample_rate: int) -> tuple[WrittenPair, ...]:
    """Writes dry, wet and trajectories of a pair: FLAC of 24 bit, float WAV for what would clip there.

    Channels with a trajectory become pairs of their own, since each has its own.

    Args:
        folder: Of the data set.
        name: What the files are called after.
        laid: The pair.
        sample_rate: In Hz.

    Raises:
        UnwritableOutputError: A file cannot be written.
    """
    trajectories = laid.laying.trajectories
    count = len(laid.dry)
    apart = count > 1 and any(trajectories)
    groups: list[tuple[int, ...]] = [(number,) for number in range(count)] if apart else [tuple(range(count))]
    written = []
    for group in groups:
        own = name if len(groups) == 1 else f"{name}_channel{group[0] + 1}"
        first, last = group[0], group[-1] + 1
        files = [
            _write_sound(folder, f"{own}_{role}", audio[first:last], sample_rate)
            for role, audio in (("dry", laid.dry), ("wet", laid.wet))
        ]
        delay = None
        trajectory = trajectories[first]
        if trajectory is not None:
            delay = f"{own}_delay.csv"
            write_trajectory(folder / delay, trajectory)
        written.append(WrittenPair(files[0], files[1], delay, group))
    return tuple(written)


def write_documents(folder: Path, preparation: Preparation) -> None:
    """Writes pairs.yaml and report.json beside the audio.

    Raises:
        UnwritableOutputError: A file cannot be written.
    """
    report = json.dumps(report_document(preparation), indent=2, ensure_ascii=False, allow_nan=False)
    try:
        (folder / PAIRS).write_text("\n".join(_pairs_lines(preparation)) + "\n", encoding="utf-8")
        (folder / REPORT).write_text(report + "\n", encoding="utf-8")
    except OSError as error:
        raise UnwritableOutputError(folder, error) from error


def _write_sound(folder: Path, stem: str, audio: Audio, sample_rate: int) -> str:
    low, high = extremes(audio)
    channels, highest_hz = LIMITS["FLAC"]
    fits = (
        low >= -1.0
        and high < 1.0
        and len(audio) <= channels
        and sample_rate <= highest_hz
        and (sample_rate <= FLAC_RATE_HZ or sample_rate % 10 == 0)
    )
    kind, subtype, suffix = ("FLAC", "PCM_24", ".flac") if fits else ("WAV", "FLOAT", ".wav")
    if kind == "WAV" and audio.size * 4 > 4_000_000_000:
        kind = "RF64"
    name = f"{stem}{suffix}"
    layout = Layout(sample_rate, len(audio), audio.shape[1], kind, subtype)
    try:
        with open_writer(folder / name, layout) as writer:
            for block in _interleaved(audio):
                write_block(writer, block)
    except OSError as error:
        raise UnwritableOutputError(folder / name, error) from error
    return name


def _interleaved(audio: Audio) -> Iterator[NDArray[Any]]:
    for start, stop in spans(audio.shape[1]):
        yield np.ascontiguousarray(audio[:, start:stop].T, dtype=np.float64)
        release(audio)


def _pairs_lines(preparation: Preparation) -> Iterator[str]:
    file = preparation.file
    count, rate = len(preparation.pairs), preparation.sample_rate
    yield f"# written by tapezoo prepare: {count} recordings at {rate} Hz, {preparation.verdict}"
    yield f"# every figure is in {REPORT}"
    if file.controls:
        yield "controls:"
        for control in file.controls:
            yield f"  {_quoted(control.name)}: {_control(control)}"
    if file.switches:
        yield (
            "switches: ["
            + ", ".join(_quoted(file.controls[number].name) for number in sorted(file.switches))
            + "]"
        )
    yield "pairs:"
    for pair in preparation.pairs:
        yield f"  # {plain(pair.recording.name)} beside {plain(pair.recording.pair.dry.name)}: {pair.verdict}"
        for remark in pair.remarks:
            if remark.effect in ("corrected", "limits"):
                yield f"  # {remark}"
        if pair.split is None and pair.regions:
            bounds = ", ".join(
                f"{split} {start / preparation.sample_rate:.2f} to {stop / preparation.sample_rate:.2f} s"
                for split, (start, stop) in pair.regions.items()
            )
            yield f"  # split by time, boundaries in silence where there is some: {bounds}"
        for files in pair.files:
            yield from _pair_lines(preparation, pair, files)


def _pair_lines(preparation: Preparation, report: PairReport, files: WrittenPair) -> Iterator[str]:
    pair = report.recording.pair
    yield f"  - dry: {_quoted(files.dry)}"
    yield f"    wet: {_quoted(files.wet)}"
    if files.delay is not None:
        yield f"    delay: {_quoted(files.delay)}"
    if pair.controls:
        values = ", ".join(f"{_quoted(name)}: {value!r}" for name, value in pair.controls.items())
        yield f"    controls: {{{values}}}"
    if report.split is not None:
        yield f"    split: {report.split}"
    if pair.held_out:
        yield "    held_out: true"


def _control(control: Control) -> str:
    parts = [f"min: {control.min!r}", f"max: {control.max!r}", f"default: {control.default!r}"]
    parts += [f"unit: {_quoted(control.unit)}"] if control.unit else []
    parts += [f"curve: {_quoted(control.curve)}"] if control.curve else []
    return "{" + ", ".join(parts) + "}"


def _quoted(text: str) -> str:
    """Text as YAML reads it back: JSON's quotes are YAML's."""
    return json.dumps(text, ensure_ascii=not text.isprintable())
