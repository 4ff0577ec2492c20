"""One pair of files -> checked, aligned rows with their splits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tapezoo.data.audio import Audio, header_findings, read_header
from tapezoo.data.checks import check_lengths, check_not_equal, check_shares_programme, signal_findings
from tapezoo.data.delays import DelayMode
from tapezoo.data.findings import Finding
from tapezoo.data.noise import noise_finding
from tapezoo.data.pair_delays import Align, Settled, settle_delays
from tapezoo.data.pairs import Pair
from tapezoo.data.prepared import PreparedRow
from tapezoo.data.splits import Regions, shift_regions, split_by_time
from tapezoo.data.streams import read_signal
from tapezoo.data.timing_findings import name_channels


def prepare_pair(
    name: str,
    pair: Pair,
    positions: Sequence[float],
    sample_rate: int,
    align: Align,
    delay: DelayMode,
    scratch: Path,
    settled: Settled | None = None,
) -> list[PreparedRow]:
    """Reads, checks and aligns one pair; one row per channel, each by its own delay.

    Args:
        name: What to call it.
        pair: Its files; the headers have been checked.
        positions: Its controls, 0..1.
        sample_rate: In Hz.
        align: "auto" finds the delay where `pair` gives none; "off" takes the files as they lie.
        delay: What becomes of a delay that wanders.
        scratch: Folder for the samples of long files; the rows are good for as long as it exists.
        settled: The delays of its channels, where they are known; None: they are found here.

    Raises:
        TapezooError: One of the refusals of `audio`, `checks`, `claims` and `pair_delays`.
    """
    dry, wet = read_signal(pair.dry, scratch), read_signal(pair.wet, scratch)
    findings = header_findings(pair.dry) + header_findings(pair.wet)
    if settled is None:
        settled = settle_delays(pair, dry, wet, sample_rate, align, delay, scratch)
    delays, said = settled
    findings += said
    most = max((own.constant_samples for own in delays), key=abs)
    check_lengths(read_header(pair.dry), read_header(pair.wet), most)
    findings += _tail_findings(pair, dry, wet)
    aligned = [
        own.align(own_dry, own_wet, delay, scratch)
        for own, own_dry, own_wet in zip(delays, dry, wet, strict=True)
    ]
    check_shares_programme(pair.dry, [own.input for own in aligned], most)
    check_shares_programme(pair.wet, [own.target for own in aligned], most)
    check_not_equal(pair.wet, pair.dry, [(own.input, own.target) for own in aligned])
    by_time = None if pair.split else split_by_time(dry, sample_rate)
    rows: list[PreparedRow] = []
    dry_labels = name_channels(pair.dry.name, len(aligned))
    for label, dry_label, own in zip(name_channels(name, len(aligned)), dry_labels, aligned, strict=True):
        found = signal_findings(dry_label, "dry", own.input)
        found += signal_findings(label, "wet", own.target)
        noise = noise_finding(label, own.input, own.target, sample_rate)
        found += [noise] if noise else []
        regions: Regions = {} if pair.split is None else {pair.split: (0, len(own.target))}
        if by_time is not None:
            regions = shift_regions(by_time, own.taken_samples, len(own.target))
        rows.append(
            PreparedRow(
                label,
                own.input,
                own.target,
                positions,
                regions,
                found if rows else found + findings,
                (),
                own.steady_input,
                own.delay,
            )
        )
    return rows


def _tail_findings(pair: Pair, dry: Audio, wet: Audio) -> list[Finding]:
    tail = wet.shape[1] - dry.shape[1]
    if not tail:
        return []
    text = f"{abs(tail)} samples longer than the other file; both are cut to the part they share"
    return [Finding("corrected", "tail", (pair.wet if tail > 0 else pair.dry).name, text)]
