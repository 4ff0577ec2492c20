"""Checks of the user's statements against the audio: a given delay, and which wet belongs where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tapezoo.data.align.timing import ChannelTiming
from tapezoo.data.audio import Header
from tapezoo.data.errors import DataError
from tapezoo.data.findings import Finding
from tapezoo.data.pairs import Pair, PairsFile
from tapezoo.data.settings import setting_text
from tapezoo.data.timing_findings import Fact

EARLY_SAMPLES = 1  # a given delay may lie this far before the leading edge


def shared_samples(dry: Header, wet: Header, offset_samples: int) -> int:
    """Number of samples that dry and wet share once `offset_samples` are taken off.

    Raises:
        DataError: They share nothing.
    """
    cut, offset = (wet, offset_samples) if offset_samples > 0 else (dry, -offset_samples)
    if offset >= cut.frames:
        raise DataError(
            str(cut.path),
            found=f"offset_samples {offset_samples} for a file of {cut.frames} samples",
            expected="an offset shorter than the file",
            fix="Correct it in the pairs file, or leave it out: the delay is then found in the audio.",
        )
    return min(dry.frames - max(0, -offset_samples), wet.frames - max(0, offset_samples))


def check_wets(file: PairsFile, hashes: Mapping[Path, str]) -> None:
    """Raises DataError where one wet stands at two settings or beside two drys, whatever the files are called.

    Args:
        file: All pairs.
        hashes: Of the samples of every file.
    """
    seen: dict[str, Pair] = {}
    for pair in file.pairs:
        other = seen.setdefault(hashes[pair.wet], pair)
        at, other_at = file.setting(pair), file.setting(other)
        if at != other_at:
            raise DataError(
                str(pair.wet),
                found=f"the same recording at {setting_text(file.controls, at)} and, as {other.wet}, at "
                f"{setting_text(file.controls, other_at)}",
                expected="a recording of its own for every setting",
                fix="Name the right file, or take one of the two pairs out.",
            )
        if hashes[pair.dry] != hashes[other.dry]:
            raise DataError(
                str(pair.wet),
                found=f"the same recording as the result of {pair.dry} and of {other.dry}",
                expected="one dry recording for every wet",
                fix="Name the right file, or take one of the two pairs out.",
            )


def repeated_findings(file: PairsFile, hashes: Mapping[Path, str], names: Sequence[str]) -> list[Finding]:
    """Recordings that stand in the file twice, and so in two splits where the file does not name one for both.

    Args:
        file: All pairs.
        hashes: Of the samples of every file.
        names: Of the pairs.
    """
    seen: dict[str, int] = {}
    findings = []
    for number, pair in enumerate(file.pairs):
        other = seen.setdefault(hashes[pair.wet], number)
        if other == number:
            continue
        splits = [file.pairs[other].split, pair.split]
        if splits[0] == splits[1]:
            text = f"the same recording as {names[other]}; it counts twice"
        else:
            shown = " and ".join(split or "all splits, by time" for split in splits)
            text = f"the same recording as {names[other]}, in {shown}: scores there are of audio used for training"
        findings.append(Finding("warning", "repeated", names[number], text))
    return findings


def offset_facts(claimed_samples: int, heard: ChannelTiming, claim: str) -> list[Fact]:
    """Whether the audio confirms a given delay.

    Args:
        claimed_samples: The delay that was taken off.
        heard: The whole delay as measured from the audio.
        claim: How the delay was given.
    """
    if not heard.found:
        text = f"{claim} is taken as given: the audio shows no clear delay that could confirm it"
        return [("note", "offset", text)]
    play = heard.wander.wander_samples / 2 if heard.wander else 0.0
    left = heard.constant_samples - claimed_samples
    late = left < -play
    if not late and left <= EARLY_SAMPLES + play:
        return []
    follows = (
        "wet is then ahead of dry, which no causal model can learn"
        if late
        else f"{left} samples of delay are left for the model to learn"
    )
    whole = heard.constant_samples + heard.fraction_samples
    text = f"{claim} is taken as given, but in the audio wet lags dry by {whole:.1f} samples; {follows}"
    return [("warning", "offset", text)]
