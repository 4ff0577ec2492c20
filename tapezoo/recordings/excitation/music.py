"""The user's music, of any format, rate and length: mono at the excitation's rate, decoded in constant memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from tapezoo.data.audio import SILENCE_PEAK, Audio, read_blocks, read_header, silence_text
from tapezoo.data.errors import SoundFileError
from tapezoo.data.splits import SPLITS, TRAIN_SHARE, VAL_SHARE, Split
from tapezoo.errors import UnwritableOutputError
from tapezoo.recordings.excitation.layout import Layout
from tapezoo.recordings.excitation.signals import fade

Real = NDArray[np.float64]

BLOCK_SAMPLES = 1 << 18
LEAST_S = 10.0  # of a piece: validation and test get a tenth of it each


@dataclass(frozen=True)
class Piece:
    """One file of music, decoded.

    Args:
        path: Where it came from.
        audio: The mean of its channels at the excitation's rate, (samples,).
        peak: Of `audio`.
    """

    path: Path
    audio: Audio
    peak: float

    def region(self, split: Split) -> tuple[int, int]:
        """The part of it that a split uses: the first 80 %, the next 10 % or the last, so that splits share nothing."""
        first, second = (round(len(self.audio) * share) for share in (TRAIN_SHARE, TRAIN_SHARE + VAL_SHARE))
        return {"train": (0, first), "val": (first, second), "test": (second, len(self.audio))}[split]


def check_piece(path: Path) -> float:
    """The length of a piece in s; says before any work whether it can be music: readable, and long enough.

    Raises:
        SoundFileError: It is not, with the reason.
    """
    header = read_header(path)
    seconds = header.frames / header.sample_rate
    if seconds < LEAST_S:
        raise SoundFileError(
            str(path),
            found=f"{seconds:.1f} s of music",
            expected=f"at least {LEAST_S:g} s: training, validation and test each get a part of it",
            fix="Give a longer piece, or join short ones in one file.",
        )
    return seconds


def decode_piece(path: Path, sample_rate: int, decoded: Path) -> Piece:
    """Reads a piece of any length.

    Args:
        path: The sound file.
        sample_rate: That of the excitation, in Hz.
        decoded: The file for its samples; the piece is good for as long as it exists.

    Raises:
        SoundFileError: It cannot be read, a sample is not finite, or it is silence.
        UnwritableOutputError: There is no room for `decoded`.
    """
    header = read_header(path)
    resampler = soxr.ResampleStream(header.sample_rate, sample_rate, 1, dtype="float32", quality="VHQ")
    peak, samples = 0.0, 0
    try:
        with decoded.open("wb") as raw:
            for mono, is_last in _ending(read_blocks(path, BLOCK_SAMPLES)):
                if not np.isfinite(mono).all():
                    raise SoundFileError(
                        str(path),
                        found="NaN or infinite samples",
                        expected="finite samples",
                        fix="Export the file again; a plugin or a broken float file writes such samples.",
                    )
                sound = mono if header.sample_rate == sample_rate else resampler.resample_chunk(mono, is_last)
                peak = max(peak, float(np.abs(sound).max(initial=0.0)))
                samples += len(sound)
                raw.write(sound.astype("<f4").data)
    except OSError as error:
        raise UnwritableOutputError(decoded, error) from error
    if peak < SILENCE_PEAK:
        raise SoundFileError(
            str(path),
            found=silence_text("the mean of its channels", peak),
            expected="music",
            fix="Give another file; channels of opposite polarity cancel each other.",
        )
    return Piece(path, np.memmap(decoded, dtype="<f4", mode="r", shape=(samples,)), peak)


@dataclass(frozen=True)
class Excerpt:
    """What of a piece one segment plays.

    Args:
        piece: Which.
        start: First sample of it; past the end of the split's region it goes on at the region's begin.
    """

    piece: Piece
    start: int


def choose_excerpts(pieces: Sequence[Piece], layout: Layout) -> dict[int, Excerpt]:
    """Start of a segment -> what it plays: pieces in turn, each spread over its length where it has enough.

    Args:
        pieces: At least one.
        layout: Whose segments of kind "music" are to be filled.
    """
    chosen: dict[int, Excerpt] = {}
    for split in SPLITS:
        segments = layout.of_kind("music", split)
        for number, piece in enumerate(pieces):
            own = segments[number :: len(pieces)]
            start, stop = piece.region(split)
            needed = sum(one.stop - one.start for one in own)
            # where there is more music than room, the gaps between the excerpts are alike, from its begin to its end
            skip = max(0, stop - start - needed) // max(len(own) - 1, 1)
            at = 0
            for one in own:
                chosen[one.start] = Excerpt(piece, start + at % (stop - start))
                at += one.stop - one.start + skip
    return chosen


def play_excerpt(excerpt: Excerpt, split: Split, samples: int, sample_rate: int, level_db: float) -> Real:
    """An excerpt at the gain that brings its whole piece's peak to `level_db`: its own dynamics stay.

    Shape:
        returns: (samples,).
    """
    start, stop = excerpt.piece.region(split)
    gain = 10 ** (level_db / 20) / excerpt.piece.peak
    parts, at = [], excerpt.start
    while samples > 0:
        length = min(samples, stop - at)
        parts.append(fade(excerpt.piece.audio[at : at + length].astype(np.float64), sample_rate))
        samples, at = samples - length, start
    return np.asarray(gain * np.concatenate(parts))


def _ending(blocks: Iterator[NDArray[Any]]) -> Iterator[tuple[NDArray[np.float32], bool]]:
    """The mean of the channels of each block, and whether it is the last."""
    waiting = None
    for block in blocks:
        if waiting is not None:
            yield waiting, False
        waiting = block.mean(axis=1, dtype=np.float32)
    if waiting is not None:
        yield waiting, True
