"""The recordings that a user names, as far as their headers tell: known before torch is imported."""

from __future__ import annotations

from pathlib import Path

from tapezoo.data.audio import Header, read_header
from tapezoo.data.checks import check_headers, check_lengths, check_region, check_same_rate
from tapezoo.data.errors import DataError
from tapezoo.data.pairs import Pair, PairsFile, read_pairs
from tapezoo.data.splits import TRAIN_SHARE

SEGMENT_SAMPLES, BURN_IN_SAMPLES = 8192, 1024  # defaults of `PairedAudio`
LONGER_AUDIO = "leave out the file, or record a longer one"


def named_pairs(dry: str | None, wet: str | None, pairs: str | None) -> PairsFile:
    """The one pair, or those of the file.

    Args:
        dry: See `PairedAudio`, as the others.
        wet: See there.
        pairs: See there.

    Raises:
        DataError: Neither one pair nor one file, or a faulty file.
        ControlError: A value outside its declared range.
    """
    if pairs is not None and dry is None and wet is None:
        return read_pairs(Path(pairs))
    if pairs is None and dry is not None and wet is not None:
        return PairsFile([], [Pair(Path(dry), Path(wet), {})])
    given = {"--data.dry": dry, "--data.wet": wet, "--data.pairs": pairs}
    found = " and ".join(name for name, value in given.items() if value is not None) or "none of the three"
    raise DataError(
        "PairedAudio",
        found=found,
        expected="--data.dry with --data.wet, or --data.pairs alone",
        fix="Name one dry and one wet file, or a pairs file.",
    )


def read_headers(file: PairsFile) -> list[tuple[Header, Header]]:
    """The headers of dry and wet of each pair, checked against each other.

    Raises:
        SoundFileError: A missing or unreadable file.
        DataError: Other rates or channels, or lengths that a stated offset does not explain.
    """
    headers = [(read_header(pair.dry), read_header(pair.wet)) for pair in file.pairs]
    first = headers[0][0]
    for pair, (dry, wet) in zip(file.pairs, headers, strict=True):
        check_same_rate(first, dry)
        check_headers(dry, wet)
        if pair.offset_samples is not None:
            check_lengths(dry, wet, pair.offset_samples)
    return headers


def check_trainable_length(
    headers: tuple[Header, Header], segment_samples: int, burn_in_samples: int
) -> None:
    """Raises DataError where the training part of a pair that is split by time cannot hold one row.

    Args:
        headers: Of dry and wet.
        segment_samples: As given to `PairedAudio`.
        burn_in_samples: As given there.
    """
    shorter = min(headers, key=lambda header: header.frames)
    samples = round(shorter.frames * TRAIN_SHARE)
    name, rate = str(shorter.path), shorter.sample_rate
    check_region(name, "train", samples, segment_samples, burn_in_samples, rate, LONGER_AUDIO)
