"""One pair of files -> checked, aligned rows with their splits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tapezoo.data.align import Alignment, find_delay
from tapezoo.data.audio import Audio, read_audio
from tapezoo.data.checks import check_not_equal, noise_finding, signal_findings
from tapezoo.data.findings import Finding
from tapezoo.data.pairs import Pair
from tapezoo.data.splits import Regions, shifted, split_by_time

MAX_DELAY_S = 0.6  # tape machines with separate heads: about 0.16 s at 7.5 ips, 0.35 s at 3.75
Align = Literal["auto", "off"]


@dataclass(frozen=True)
class PreparedRow:
    """One channel of one pair, ready for training.

    Args:
        name: For reports; unique in a data set.
        input: (samples,) the dry signal.
        target: (samples,) the wet signal, aligned.
        controls: Net positions 0..1.
        regions: Where each split lies.
        findings: What the user should know.
        idle: Controls that change nothing in this row (knobs of a machine that is not selected).
    """

    name: str
    input: NDArray[np.float32]
    target: NDArray[np.float32]
    controls: Sequence[float]
    regions: Regions
    findings: Sequence[Finding]
    idle: Sequence[int] = ()


def prepare_pair(
    name: str, pair: Pair, positions: Sequence[float], sample_rate: int, align: Align
) -> list[PreparedRow]:
    """Reads, checks and aligns one pair; one row per channel, the same delay for all.

    Args:
        name: What to call it.
        pair: Its files; the headers have been checked.
        positions: Its controls, 0..1.
        sample_rate: In Hz.
        align: "auto" finds the delay where `pair` gives none; "off" takes the files as they lie.

    Raises:
        TapezooError: One of the refusals of `audio` and `checks`.
    """
    dry, wet = read_audio(pair.dry), read_audio(pair.wet)
    findings: list[Finding] = []
    correction = 0
    if pair.offset_samples is not None:
        correction = pair.offset_samples
    elif align == "auto":
        alignment = align_loudest(dry, wet, sample_rate)
        findings += alignment_findings(pair.wet.name, alignment, sample_rate)
        correction = alignment.correction_samples if alignment.found else 0
    dry_before = dry
    dry, wet, tail = trimmed(dry, wet, correction)
    if tail:
        text = f"{abs(tail)} samples longer than its partner; both are cut to the part they share"
        findings.append(Finding("corrected", "tail", (pair.wet if tail > 0 else pair.dry).name, text))
    check_not_equal(pair.wet, pair.dry, dry, wet)
    regions = _regions(pair, dry_before, sample_rate, correction, dry.shape[1])
    rows = []
    for channel in range(len(dry)):
        label = name if len(dry) == 1 else f"{name} channel {channel + 1}"
        own = signal_findings(f"{label} (dry)", dry[channel]) + signal_findings(
            f"{label} (wet)", wet[channel]
        )
        noise = noise_finding(label, dry[channel], wet[channel], sample_rate)
        own += [noise] if noise else []
        rows.append(
            PreparedRow(
                label,
                dry[channel],
                wet[channel],
                positions,
                regions,
                own + (findings if channel == 0 else []),
            )
        )
    return rows


def align_loudest(dry: Audio, wet: Audio, sample_rate: int) -> Alignment:
    """The alignment of the channel in which wet is loudest."""
    channel = int(np.argmax(np.var(wet, axis=1)))
    limit = max(1, round(MAX_DELAY_S * sample_rate))
    return find_delay(dry[channel].astype(np.float64), wet[channel].astype(np.float64), limit)


def alignment_findings(name: str, found: Alignment, sample_rate: int) -> list[Finding]:
    """What the alignment of a pair means to its user."""
    if not found.found:
        text = (
            f"no constant delay stands out (confidence {found.confidence:.2f}); left as it is. The delay may "
            "wander too far, the material may repeat itself, or wet may belong to another dry; if you know "
            "the delay, give offset_samples in a pairs file"
        )
        return [Finding("warning", "unaligned", name, text)]
    findings = []
    if found.correction_samples:
        side = "lags" if found.correction_samples > 0 else "leads"
        taken = abs(found.correction_samples)
        text = (
            f"{side} dry by {abs(found.delay_samples):.1f} samples "
            f"({abs(found.delay_samples) / sample_rate * 1000:.2f} ms); corrected by {taken}"
        )
        findings.append(Finding("corrected", "delay", name, text))
    if found.drift_samples:
        text = (
            f"the delay wanders by {found.drift_samples:.1f} samples over the file (wow, or two clocks); "
            "only its constant part is taken off, the rest limits the ESR a model can reach"
        )
        findings.append(Finding("warning", "drift", name, text))
    if found.inverted:
        text = "inverted polarity against dry; it is kept as part of the device"
        findings.append(Finding("warning", "polarity", name, text))
    return findings


def trimmed(dry: Audio, wet: Audio, delay_samples: int) -> tuple[Audio, Audio, int]:
    """Both without the delay and cut to one length; and by how much wet was longer (negative: dry)."""
    longer = wet.shape[1] - dry.shape[1]
    wet = wet[:, max(0, delay_samples) :]
    dry = dry[:, max(0, -delay_samples) :]
    length = min(dry.shape[1], wet.shape[1])
    return dry[:, :length], wet[:, :length], longer


def _regions(pair: Pair, dry: Audio, sample_rate: int, correction: int, length: int) -> Regions:
    if pair.split is not None:
        return {pair.split: (0, length)}
    loudest_channel = np.abs(dry).max(axis=0)  # silent only where every channel is
    return shifted(split_by_time(loudest_channel, sample_rate), max(0, -correction), length)
