"""From sound files to the signals of one pair: one sample rate, the channels that belong together, finite samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapezoo.data.audio import (
    SILENCE_PEAK,
    Audio,
    check_finite,
    header_findings,
    level_dbfs,
    read_blocks,
    read_header,
)
from tapezoo.data.errors import DataError, SoundFileError
from tapezoo.data.streams import blocks, deviation, energy, extremes
from tapezoo.errors import TapezooError
from tapezoo.recordings.recording import Recording, Wishes
from tapezoo.recordings.remarks import Remark
from tapezoo.recordings.scratch import BLOCK_SAMPLES, Scratch
from tapezoo.render.flow import resample

APART_S = 1.0
SAME_CHANNEL = 1e-9  # energy of the difference: -90 dB


@dataclass(frozen=True)
class Intake:
    """The signals of a pair, as they lie in the files.

    Args:
        dry: What went into the machine.
        wet: What came out of it; as many channels, any length.
        pilot: One channel each of the pilot that was played and of what came back.
        remarks: What was done to get here.

    Shape:
        dry, wet: (channels, samples); pilot: (samples,) each.
    """

    dry: Audio
    wet: Audio
    pilot: tuple[Audio, Audio] | None
    remarks: tuple[Remark, ...]


def take_in(
    recording: Recording, wishes: Wishes, sample_rate: int, scratch: Scratch
) -> Intake | tuple[Remark, ...]:
    """Reads a pair, or reports everything that keeps it from being read.

    Args:
        recording: Its files.
        wishes: What the user asks for.
        sample_rate: Of the data set, Hz.
        scratch: For what is too long for memory.

    Returns:
        The signals, or refusals.
    """
    remarks: list[Remark] = []
    refused: list[Remark] = []
    signals: list[Audio] = []
    readable: list[Path] = []
    pair = recording.pair
    paths = (pair.dry, pair.wet, *(recording.pilot or ()))
    for path in paths:
        try:
            remarks += [Remark("corrected", "header", str(finding)) for finding in header_findings(path)]
            header = read_header(path)
            if header.sample_rate != sample_rate:
                text = f"{path.name}: resampled from {header.sample_rate} to {sample_rate} Hz"
                remarks.append(Remark("corrected", "sample_rate", text))
            signals.append(_read(path, sample_rate, scratch))
            readable.append(path)
        except TapezooError as error:
            refused.append(Remark("refused", "unreadable", str(error)))
    for path, signal in zip(readable, signals, strict=True):
        if all(_is_silent(channel) for channel in signal):
            low, high = extremes(signal)
            peak = max(-low, high)
            text = (
                f"{path.name} is silent{f': it peaks at {level_dbfs(peak)}' if peak > 0 else ' throughout'}"
            )
            advice = "check the recording's routing and levels, and record it again"
            refused.append(Remark("refused", "silence", text, advice))
    if refused:
        return tuple(refused)
    dry, wet = signals[:2]
    try:
        dry, wet, told = match_channels(pair.dry, dry, pair.wet, wet, wishes)
        remarks += told
    except TapezooError as error:
        return (Remark("refused", "channels", str(error)),)
    pilot = tuple(signal[_loudest(signal)] for signal in signals[2:])
    for path, signal in ((pair.dry, dry), (pair.wet, wet)):
        silent = [number + 1 for number, channel in enumerate(signal) if _is_silent(channel)]
        if silent:
            text = f"{path.name}: channel {silent[0]} is silent, and that of the other file is not"
            refused.append(Remark("refused", "silence", text, "choose a channel of both, or record it again"))
    return tuple(refused) or Intake(dry, wet, (pilot[0], pilot[1]) if pilot else None, tuple(remarks))


def match_channels(
    dry_path: Path, dry: Audio, wet_path: Path, wet: Audio, wishes: Wishes
) -> tuple[Audio, Audio, list[Remark]]:
    """The channels of dry and wet that belong together, as many of both, and what was chosen.

    Raises:
        DataError: There is a choice that only the user can make; it is named.
    """
    dry, dry_told = _choose(dry_path, dry, wishes.dry_channel, "--dry-channel")
    wet, wet_told = _choose(wet_path, wet, wishes.wet_channel, "--wet-channel")
    told = [*dry_told, *wet_told]
    if len(dry) == len(wet) and not (_is_any_silent(dry) or _is_any_silent(wet)):
        return dry, wet, told
    # an interface that records one input into a stereo file leaves the other channel silent, or duplicates it
    dry, dry_told = _drop_idle(dry_path, dry)
    wet, wet_told = _drop_idle(wet_path, wet)
    told += [*dry_told, *wet_told]
    if len(dry) == len(wet):
        return dry, wet, told
    path, more, fewer, option = (
        (wet_path, wet, dry, "--wet-channel")
        if len(wet) > len(dry)
        else (dry_path, dry, wet, "--dry-channel")
    )
    raise DataError(
        str(path),
        found=f"{len(more)} different channels against {len(fewer)} of the other file",
        expected="as many channels in wet as in dry",
        fix=f"State which channel belongs to the pair: {option} 1 to {len(more)}.",
    )


def _choose(path: Path, audio: Audio, number: int | None, option: str) -> tuple[Audio, list[Remark]]:
    if number is None:
        return audio, []
    if not 1 <= number <= len(audio):
        raise DataError(
            str(path),
            found=f"{len(audio)} channels and {option} {number}",
            expected=f"a channel from 1 to {len(audio)}",
            fix=f"Correct {option}.",
        )
    if len(audio) == 1:
        return audio, []
    text = f"{path.name}: channel {number} of {len(audio)} is used, as {option} says"
    return audio[number - 1 : number], [Remark("note", "channels", text)]


def _drop_idle(path: Path, audio: Audio) -> tuple[Audio, list[Remark]]:
    """Without silent channels; one channel where all are the same."""
    if len(audio) == 1:
        return audio, []
    sounding = [number for number, channel in enumerate(audio) if not _is_silent(channel)]
    if not sounding:
        return audio[:1], []
    if len(sounding) < len(audio):
        kept = audio[sounding[0] : sounding[0] + 1] if len(sounding) == 1 else audio[np.array(sounding)]
        named = ", ".join(str(number + 1) for number in sounding)
        text = f"{path.name}: channel {named} of {len(audio)} is used, the others are silent"
        return kept, [Remark("note", "channels", text)]
    if all(_is_same(audio[0], other) for other in audio[1:]):
        text = f"{path.name}: all {len(audio)} channels are the same; the first is used"
        return audio[:1], [Remark("note", "channels", text)]
    return audio, []


def _is_same(first: Audio, second: Audio) -> bool:
    difference = sum(
        float(np.sum(np.square(a.astype(np.float64) - b)))
        for a, b in zip(blocks(first), blocks(second), strict=True)
    )
    return difference <= SAME_CHANNEL * energy(first)


def _is_silent(channel: Audio) -> bool:
    low, high = extremes(channel)
    if high - low >= 4 * SILENCE_PEAK:
        return False
    mean, _ = deviation(channel)
    return max(high - mean, mean - low) < SILENCE_PEAK


def _is_any_silent(audio: Audio) -> bool:
    return any(_is_silent(channel) for channel in audio)


def _loudest(audio: Audio) -> int:
    return int(np.argmax([deviation(channel)[1] for channel in audio]))


def length_remarks(taken: Intake, sample_rate: int) -> list[Remark]:
    """Where dry and wet differ by more than a second: part of one of them has no counterpart."""
    dry_s, wet_s = (signal.shape[-1] / sample_rate for signal in (taken.dry, taken.wet))
    if abs(dry_s - wet_s) <= APART_S:
        return []
    text = f"dry is {dry_s:.1f} s long, wet {wet_s:.1f} s; only what both have is used"
    return [Remark("note", "lengths", text, "check that both are the same take and that nothing was cut off")]


def _read(path: Path, sample_rate: int, scratch: Scratch) -> Audio:
    """All channels at `sample_rate`; (channels, samples).

    Raises:
        SoundFileError: Not readable, or a sample is NaN or infinite.
    """
    header = read_header(path)
    decoded = _finite_blocks(path, header.sample_rate)
    if header.sample_rate == sample_rate:
        return scratch.filled(header.channels, header.frames, (block.T for block in decoded))
    resampled = resample(decoded, header.sample_rate, sample_rate, header.channels)
    most = header.frames * sample_rate // header.sample_rate + 2
    return scratch.filled(header.channels, most, (block.T for block in resampled))


def _finite_blocks(path: Path, sample_rate: int) -> Iterator[NDArray[Any]]:
    position, size = 0, BLOCK_SAMPLES
    for block in read_blocks(path, size, "float64"):
        try:
            check_finite(path, block.T, sample_rate)
        except SoundFileError:
            bad = ~np.isfinite(block).all(axis=1)
            first = position + int(np.argmax(bad))
            raise SoundFileError(
                str(path),
                found=f"NaN or infinite samples, the first at {first / sample_rate:.3f} s",
                expected="finite samples",
                fix="Export or record the file again; a plugin or a broken float file writes such samples.",
            ) from None
        position += len(block)
        yield block
