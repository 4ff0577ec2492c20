"""Prepares a session: every pair read, timed, laid, measured and judged, one after the other, then all together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tapezoo.data.audio import Audio, audio_hash, read_header
from tapezoo.data.cache import scratch
from tapezoo.data.claims import check_wets, repeated_findings
from tapezoo.data.pairs import PairsFile
from tapezoo.data.splits import split_by_time
from tapezoo.data.streams import blocks
from tapezoo.errors import TapezooError
from tapezoo.filenames import unique_file_names
from tapezoo.recordings.dataset import write_audio
from tapezoo.recordings.figures import measure_channel
from tapezoo.recordings.intake import Intake, length_remarks, take_in
from tapezoo.recordings.judge import figure_remarks
from tapezoo.recordings.judge_set import set_remarks
from tapezoo.recordings.judge_timing import timing_refusals, timing_remarks
from tapezoo.recordings.laying import Laid, lay
from tapezoo.recordings.marked import Marked, marks_refusals, measure_marked, read_marks, speed_remarks
from tapezoo.recordings.piloted import follow_pilot, set_pilot_apart
from tapezoo.recordings.preparation import PairReport, Preparation
from tapezoo.recordings.recording import Recording, Wishes
from tapezoo.recordings.remarks import Remark, verdict_of
from tapezoo.recordings.scratch import Scratch
from tapezoo.recordings.sharing import Candidate, share_out

COPY_ESR = 1e-7  # wet is dry at another level: -70 dB, a copy through a 16-bit file
LEAST_SHARED_S = 0.2


def prepare(
    recordings: Sequence[Recording],
    file: PairsFile,
    wishes: Wishes,
    folder: Path | None,
    cache: Path,
    progress: Callable[[str], None],
) -> Preparation:
    """Measures and judges all pairs, and writes the audio of each that is usable.

    Args:
        recordings: At least one.
        file: Controls and switches that the recordings' pairs refer to.
        wishes: What the user asks for.
        folder: Where the audio goes; None: nothing is written.
        cache: Where a folder for long files may be made.
        progress: Called with the name of each step.

    Raises:
        TapezooError: Nothing can be written, to `folder` or to `cache`; what is wrong with recordings is a remark.
    """
    sample_rate = wishes.sample_rate or _common_rate(recordings)
    names = unique_file_names([_plain_name(recording) for recording in recordings])
    reports = []
    for recording, name in zip(recordings, names, strict=True):
        progress(recording.name)
        with scratch(cache) as place:
            reports.append(_prepare_pair(recording, name, wishes, sample_rate, folder, Scratch(place)))
    splits = share_out(
        [
            Candidate(
                report.source,
                file.setting(report.recording.pair),
                report.seconds,
                max((own.dry_levels.loudest_db for own in report.channels), default=-200.0),
                float(np.mean([own.dry_centroid_hz for own in report.channels])) if report.channels else 0.0,
                report.recording.pair.split,
                report.recording.pair.held_out,
            )
            for report in reports
        ]
    )
    reports = [replace(report, split=split) for report, split in zip(reports, splits, strict=True)]
    remarks = [*_claim_remarks(reports, file), *set_remarks(reports, file)]
    return Preparation(reports, file, sample_rate, tuple(remarks))


def _prepare_pair(
    recording: Recording,
    name: str,
    wishes: Wishes,
    sample_rate: int,
    folder: Path | None,
    place: Scratch,
) -> PairReport:
    taken = take_in(recording, wishes, sample_rate, place)
    if not isinstance(taken, Intake):
        return PairReport(recording, name, taken)
    marked = read_marks(taken, sample_rate)
    if not isinstance(marked, Marked):
        return PairReport(recording, name, (*taken.remarks, *marked))
    marked = replace(marked, intake=set_pilot_apart(marked.intake, sample_rate))
    taken = marked.intake
    remarks = list(taken.remarks)
    if marked.layout is None:  # a session is recorded with time to spare
        remarks += length_remarks(taken, sample_rate)
    timing = measure_marked(marked, sample_rate)
    known = PairReport(recording, name, tuple(remarks), timing, source=audio_hash(recording.pair.dry))
    refused = [
        *timing_refusals(timing, recording.pair.offset_samples),
        *marks_refusals(marked, timing, sample_rate),
    ]
    if refused:
        return replace(known, remarks=(*remarks, *refused))
    timing, told = follow_pilot(taken, timing, sample_rate, place)
    remarks += told
    known = replace(known, timing=timing)
    if verdict_of(told) == "not usable":
        return replace(known, remarks=tuple(remarks))
    laid = lay(taken.dry, taken.wet, timing, sample_rate, wishes.keep_polarity, place)
    remarks += speed_remarks(marked, timing, sample_rate)
    remarks += timing_remarks(laid.laying, timing.channels, sample_rate)
    refused = _laid_refusals(recording, laid, sample_rate)
    if refused:
        return replace(known, remarks=(*remarks, *refused), laying=laid.laying)
    channels = tuple(
        measure_channel(dry, wet, recorded, trajectory, sample_rate, place)
        for dry, wet, recorded, trajectory in zip(
            laid.dry, laid.wet, taken.wet, laid.laying.trajectories, strict=True
        )
    )
    for number, figures in enumerate(channels):
        remarks += figure_remarks(figures, f"channel {number + 1}: " if len(channels) > 1 else "")
    report = replace(
        known,
        remarks=tuple(remarks),
        laying=laid.laying,
        channels=channels,
        seconds=laid.dry.shape[1] / sample_rate,
        regions=split_by_time(laid.dry, sample_rate),
        excitation=marked.layout,
    )
    if folder is not None and verdict_of(remarks) != "not usable":
        report = replace(report, files=write_audio(folder, name, laid, sample_rate))
    return report


def _plain_name(recording: Recording) -> str:
    """The wet file's name without its suffix, and without the word `wet`, which the files' names will have anyway."""
    parts = [part for part in re.split(r"[_\-. ]+", recording.pair.wet.stem) if part]
    if "wet" not in (part.lower() for part in parts):
        return recording.pair.wet.stem
    return "_".join(part for part in parts if part.lower() != "wet") or "take"


def _common_rate(recordings: Sequence[Recording]) -> int:
    """The rate that most files have, the higher one of two."""
    rates: Counter[int] = Counter()
    for recording in recordings:
        for path in (recording.pair.dry, recording.pair.wet):
            try:
                rates[read_header(path).sample_rate] += 1
            except TapezooError:
                continue  # reported where the pair is read
    return max(rates, key=lambda rate: (rates[rate], rate), default=44_100)


def _laid_refusals(recording: Recording, laid: Laid, sample_rate: int) -> list[Remark]:
    samples = laid.dry.shape[1]
    if samples < LEAST_SHARED_S * sample_rate:
        text = (
            f"dry and wet share {max(0, samples) / sample_rate:.2f} s once the delay is removed; at least "
            f"{LEAST_SHARED_S} s are needed"
        )
        return [Remark("refused", "too_short", text, "record a longer passage")]
    for dry, wet in zip(laid.dry, laid.wet, strict=True):
        gain = _copy_gain(dry, wet)
        if gain is not None:
            at = f" at {20 * np.log10(abs(gain)):+.1f} dB" if abs(abs(gain) - 1) > 1e-3 else ""
            text = (
                f"wet is a copy of {recording.pair.dry.name}{at}: the machine was not in the path, or changes nothing "
                "that could be learned"
            )
            return [Remark("refused", "copy", text)]
    return []


def _copy_gain(dry: Audio, wet: Audio) -> float | None:
    """The gain that turns dry into wet to within -70 dB; None where there is none."""
    products = np.zeros(3)
    for d, w in zip(blocks(dry), blocks(wet), strict=True):
        x, y = d.astype(np.float64), w.astype(np.float64)
        products += (float(x @ x), float(x @ y), float(y @ y))
    own, cross, wet_energy = products
    if own <= 0 or wet_energy <= 0:
        return None
    return float(cross / own) if wet_energy - cross**2 / own <= COPY_ESR * wet_energy else None


def _claim_remarks(reports: Sequence[PairReport], file: PairsFile) -> list[Remark]:
    """Recordings that stand in the session twice."""
    readable = [report.recording.pair for report in reports if report.source]
    if not readable:
        return []
    hashes = {path: audio_hash(path) for pair in readable for path in {pair.dry, pair.wet}}
    told = replace(file, pairs=readable)
    try:
        check_wets(told, hashes)
    except TapezooError as error:
        return [Remark("refused", "claims", str(error))]
    names = [report.name for report in reports if report.source]
    return [Remark("limits", "repeated", str(found)) for found in repeated_findings(told, hashes, names)]
