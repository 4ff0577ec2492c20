"""One pair of files -> checked, aligned rows with their splits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tapezoo.data.align.constant import Alignment, find_delay
from tapezoo.data.audio import Audio, header_findings
from tapezoo.data.checks import check_not_equal, check_shares_programme, signal_findings
from tapezoo.data.claims import offset_findings
from tapezoo.data.findings import Finding
from tapezoo.data.noise import noise_finding
from tapezoo.data.pairs import Pair
from tapezoo.data.splits import Regions, shift_regions, split_by_time
from tapezoo.data.streams import deviation, read_signal

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
    name: str, pair: Pair, positions: Sequence[float], sample_rate: int, align: Align, scratch: Path
) -> list[PreparedRow]:
    """Reads, checks and aligns one pair; one row per channel, the same delay for all.

    Args:
        name: What to call it.
        pair: Its files; the headers have been checked.
        positions: Its controls, 0..1.
        sample_rate: In Hz.
        align: "auto" finds the delay where `pair` gives none; "off" takes the files as they lie.
        scratch: Folder for the samples of long files; the rows are good for as long as it exists.

    Raises:
        TapezooError: One of the refusals of `audio`, `checks` and `claims`.
    """
    whole_dry, whole_wet = read_signal(pair.dry, scratch), read_signal(pair.wet, scratch)
    findings = header_findings(pair.dry) + header_findings(pair.wet)
    claimed = pair.offset_samples if pair.offset_samples is not None or align == "auto" else 0
    correction = claimed or 0
    if claimed is None:
        alignment = align_loudest(whole_dry, whole_wet, sample_rate)
        findings += alignment_findings(pair.wet.name, alignment, sample_rate)
        correction = alignment.correction_samples if alignment.found else 0
    dry, wet, tail = trim(whole_dry, whole_wet, correction)
    if tail:
        text = f"{abs(tail)} samples longer than its partner; both are cut to the part they share"
        findings.append(Finding("corrected", "tail", (pair.wet if tail > 0 else pair.dry).name, text))
    for path, signal in ((pair.dry, dry), (pair.wet, wet)):
        check_shares_programme(path, signal, correction)
    check_not_equal(pair.wet, pair.dry, dry, wet)
    if claimed is not None:
        claim = (
            f"offset_samples {claimed}" if pair.offset_samples is not None else "'align: off', a delay of 0,"
        )
        left = _find_remaining_delay(whole_dry, whole_wet, claimed, sample_rate)
        if left is not None or pair.offset_samples is not None:
            findings += offset_findings(pair.wet.name, claimed, left, claim)
    regions = _regions(pair, whole_dry, sample_rate, correction, dry.shape[1])
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


def _find_remaining_delay(dry: Audio, wet: Audio, claimed_samples: int, sample_rate: int) -> Alignment | None:
    """The delay that is left after the claimed one, searched around it and around 0; None where none is clear."""
    limit = round(MAX_DELAY_S * sample_rate)
    around_claim = align_loudest(*trim(dry, wet, claimed_samples)[:2], sample_rate)
    if around_claim.found or abs(claimed_samples) < limit:
        return around_claim if around_claim.found else None
    found = align_loudest(dry, wet, sample_rate)
    if not found.found:
        return None
    return replace(
        found,
        delay_samples=found.delay_samples - claimed_samples,
        correction_samples=found.correction_samples - claimed_samples,
    )


def align_loudest(dry: Audio, wet: Audio, sample_rate: int) -> Alignment:
    """The alignment of the channel in which wet is loudest."""
    channel = int(np.argmax([deviation(signal)[1] for signal in wet])) if len(wet) > 1 else 0
    limit = max(1, round(MAX_DELAY_S * sample_rate))
    return find_delay(dry[channel], wet[channel], limit)


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


def trim(dry: Audio, wet: Audio, delay_samples: int) -> tuple[Audio, Audio, int]:
    """Both without the delay and cut to one length; and by how much wet was longer (negative: dry)."""
    longer = wet.shape[1] - dry.shape[1]
    wet = wet[:, max(0, delay_samples) :]
    dry = dry[:, max(0, -delay_samples) :]
    length = min(dry.shape[1], wet.shape[1])
    return dry[:, :length], wet[:, :length], longer


def _regions(pair: Pair, dry: Audio, sample_rate: int, correction: int, length: int) -> Regions:
    if pair.split is not None:
        return {pair.split: (0, length)}
    return shift_regions(split_by_time(dry, sample_rate), max(0, -correction), length)
