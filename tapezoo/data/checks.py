"""What makes a pair of recordings unusable, and what a user should know about a usable one.

Refusals are one error class per fault. Everything else becomes a `Finding`; the audio is kept as it is,
because polarity, a constant offset, clipping and noise belong to the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tapezoo.data.audio import SILENCE_PEAK, Header, level_dbfs
from tapezoo.data.errors import DataError, SoundFileError
from tapezoo.data.findings import Finding
from tapezoo.data.splits import Split
from tapezoo.data.streams import blocks, deviation, energy, extremes

MAX_LENGTH_DIFFERENCE_S = 1.0
EQUAL_ESR = 1e-7  # -70 dB: a copy, if need be through a 16-bit file at a level of -30 dBFS
DC_LEVEL = 10 ** (-50 / 20)  # converters stay below it
TOLD_DC_SHARE = 0.01  # of the energy: less changes no figure that anybody reads
MOST_PEAK = 2.0  # what is left where an offset of at most 1 is taken off a full signal, as `prepare` does
CLIPPED_RUN_SAMPLES = 4  # a quantized low-frequency peak holds its value for up to three samples
CLIPPED_RUNS = 3


def check_headers(dry: Header, wet: Header) -> None:
    """Raises DataError where the headers alone show that two files cannot be a pair: other rates or channels."""
    check_same_rate(dry, wet)
    if dry.channels != wet.channels:
        raise DataError(
            str(wet.path),
            found=f"{_channels(wet.channels)} against {_channels(dry.channels)} in {dry.path}",
            expected="the same number of channels",
            fix="Export both as mono or both as stereo, or run `tapezoo prepare DRY WET --out DATASET`: of channels "
            "that are the same or silent it uses one, else --wet-channel says which.",
        )


def check_lengths(dry: Header, wet: Header, delay_samples: int) -> None:
    """Raises DataError where lengths differ by more than a second, unless the delay explains it.

    Args:
        dry: Header of the dry file.
        wet: Header of the wet file.
        delay_samples: Of wet against dry, given or found.
    """
    # files of one session are as long as each other, or wet is longer by its delay
    surplus = wet.frames - dry.frames
    difference_s = min(abs(surplus), abs(surplus - delay_samples)) / dry.sample_rate
    if difference_s > MAX_LENGTH_DIFFERENCE_S:
        raise DataError(
            str(wet.path),
            found=f"{_seconds(wet)} against {_seconds(dry)} in {dry.path}, {difference_s:.2f} s apart",
            expected=f"lengths at most {MAX_LENGTH_DIFFERENCE_S:.0f} s apart",
            fix="Cut both to the same passage; if wet only starts late, give offset_samples in a pairs file.",
        )


def check_same_rate(first: Header, second: Header) -> None:
    """Raises DataError where two files of one data set have different sample rates."""
    if first.sample_rate != second.sample_rate:
        raise DataError(
            str(second.path),
            found=f"{second.sample_rate} Hz against {first.sample_rate} Hz in {first.path}",
            expected="one sample rate",
            fix=f"Resample it to {first.sample_rate} Hz; if it sounds too fast or too slow, correct its label instead.",
        )


def check_not_equal(
    wet_path: Path, dry_path: Path, channels: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]]
) -> None:
    """Raises DataError where aligned wet differs from dry by less than -70 dB.

    Args:
        wet_path: The wet file.
        dry_path: The dry file.
        channels: Dry and wet of each, aligned, (samples,) both.
    """
    error = sum(
        float(np.sum(np.square(wet_block.astype(np.float64) - dry_block)))
        for dry, wet in channels
        for dry_block, wet_block in zip(blocks(dry), blocks(wet), strict=True)
    )
    if error <= EQUAL_ESR * sum(energy(dry) for dry, _ in channels):
        raise DataError(
            str(wet_path),
            found=f"the same signal as {dry_path}",
            expected="a recording of the device's output",
            fix="Check that the device was in the path and that wet is not a second copy of dry.",
        )


def check_shares_programme(
    path: Path, channels: Sequence[NDArray[np.float32]], correction_samples: int
) -> None:
    """Raises SoundFileError where what is left after taking off a delay is silent.

    Args:
        path: The file.
        channels: What is left of each, (samples,).
        correction_samples: The delay that was taken off.
    """
    shared = min(map(len, channels))
    if shared and any(high - low >= SILENCE_PEAK for low, high in map(extremes, channels)):
        return
    raise SoundFileError(
        str(path),
        found=f"silence in the {shared} samples that dry and wet share after removing a delay of "
        f"{correction_samples} samples",
        expected="sound in the part that both share",
        fix="Correct offset_samples, or use recordings of the same passage.",
    )


def check_region(
    name: str,
    split: Split,
    samples: int,
    segment_samples: int,
    burn_in_samples: int,
    sample_rate: int,
    longer_audio: str,
) -> None:
    """Raises DataError where a region of a split cannot hold one row.

    Args:
        name: The row, for the message.
        split: Training rows need burn-in and segment; others need more than the burn-in.
        samples: Length of the region.
        segment_samples: As given to the DataModule.
        burn_in_samples: As given to the DataModule.
        sample_rate: In Hz, for the message.
        longer_audio: What the user can do other than change the segments, as half a sentence.
    """
    needed = burn_in_samples + (segment_samples if split == "train" else 1)
    if samples >= needed:
        return
    purpose = (
        "burn-in and segment"
        if split == "train"
        else "a segment longer than the burn-in, which is not scored"
    )
    found = f"{samples} samples ({samples / sample_rate:.2f} s) in its {split} part"
    room = samples - burn_in_samples
    if split == "train" and room >= 256:
        # a power of two keeps the updates of truncated backpropagation whole
        fix = f"Pass --data.segment_samples {1 << (room.bit_length() - 1)}, or {longer_audio}."
    elif samples >= 64:
        half = samples // 2
        fix = f"Pass --data.burn_in_samples {half} --data.segment_samples {half}, or {longer_audio}."
    else:
        fix = f"It is too short for any segment: {longer_audio}."
    raise DataError(name, found=found, expected=f"at least {needed} ({purpose})", fix=fix)


def signal_findings(label: str, role: Literal["dry", "wet"], samples: NDArray[np.float32]) -> list[Finding]:
    """Constant offset, clipping and samples over full scale in one channel.

    Args:
        label: What to call the channel.
        role: What it is for the device.
        samples: (samples,).
    """
    findings = []
    name = f"{label} ({role})"
    mean, rms = deviation(samples)
    low, high = extremes(samples)
    peak = max(-low, high)
    if abs(mean) > DC_LEVEL and abs(mean) > 0.01 * rms:
        share = round(mean**2 / (mean**2 + rms**2), 6)  # the last digits depend on how a file is read
        text = f"a constant offset (DC) of {mean:+.3f}; it is kept as part of the device"
        if role == "wet" and share >= TOLD_DC_SHARE:
            text += (
                f". It is {share:.0%} of the energy that errors are divided by, so val_esr and linear floor are "
                f"{1 / (1 - share):.2g} times smaller than without it: `tapezoo prepare` removes it"
            )
        findings.append(Finding("warning", "dc", name, text, share if role == "wet" else 0.0))
    if peak > 1.0:
        findings.append(_over_full_scale(name, samples, peak))
    for level, side in ((high, "top"), (low, "bottom")):
        crossed = level > 0 if side == "top" else level < 0
        runs, flat = count_clipped(samples, level) if crossed else (0, 0)
        if runs >= CLIPPED_RUNS:
            text = f"clipped at {level:+.4f} ({side}): {flat} samples in {runs} flat runs"
            share = flat / len(samples)
            findings.append(
                Finding("warning", "clipping", name, f"{text}, {share:.2%} of all; it is kept", share)
            )
    return findings


def _over_full_scale(name: str, samples: NDArray[np.float32], peak: float) -> Finding:
    """Only files of floats can hold such samples: nothing is lost, unless the scale itself is wrong."""
    over = sum(int(np.count_nonzero(np.abs(block) > 1.0)) for block in blocks(samples))
    text = f"{over} samples over full scale, up to {level_dbfs(peak)}; they are kept"
    if peak <= MOST_PEAK:
        text += ". They are not clipped; but write what the model plays as float: 16 or 24 bit would clip it"
        return Finding("note", "over_full_scale", name, text, over / len(samples))
    return Finding("warning", "over_full_scale", name, text, over / len(samples))


def count_clipped(samples: NDArray[np.float32], level: float) -> tuple[int, int]:
    """Runs of four and more samples that stand at `level`, and the samples in them.

    Args:
        samples: (samples,).
        level: Their highest value, above 0, or their lowest, below 0.
    """
    edge = level * (1 - 1e-6)
    runs = flat = open_run = 0

    def close(lengths: NDArray[np.int64]) -> None:
        nonlocal runs, flat
        long = lengths[lengths >= CLIPPED_RUN_SAMPLES]
        runs, flat = runs + len(long), flat + int(long.sum())

    for block in blocks(samples):
        there = block >= edge if level > 0 else block <= edge
        edges = np.flatnonzero(np.diff(np.concatenate(([0], there.astype(np.int8), [0]))))
        lengths = edges[1::2] - edges[::2]
        if there[0]:
            lengths[0] += open_run
        else:
            close(np.array([open_run]))
        open_run = int(lengths[-1]) if there[-1] else 0  # the run continues in the next block
        close(lengths[:-1] if there[-1] else lengths)
    close(np.array([open_run]))
    return runs, flat


def _channels(count: int) -> str:
    return {1: "mono", 2: "stereo"}.get(count, f"{count} channels")


def _seconds(header: Header) -> str:
    return f"{header.frames / header.sample_rate:.2f} s"
