"""Reads audio files into float32, channels first; refuses what is not usable audio."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tapezoo.data.decoding import Source, count_samples, decode, survey
from tapezoo.data.errors import SoundFileError
from tapezoo.data.findings import Finding

log = logging.getLogger(__name__)

Audio = NDArray[np.float32]

HASH_BLOCK_SAMPLES = 1 << 18
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 4_000, 768_000  # telephony to the fastest converters
SILENCE_PEAK = 1e-4  # -80 dBFS: below it a file holds no programme


@dataclass(frozen=True)
class Header:
    """What a file holds, apart from the sound.

    Args:
        path: The file.
        sample_rate: Hz.
        channels: How many.
        frames: Samples per channel that really decode.
        format: libsndfile's name.
        subtype: libsndfile's name.
        note: What was wrong with the file's own header, though its audio is whole; else empty.
    """

    path: Path
    sample_rate: int
    channels: int
    frames: int
    format: str = ""
    subtype: str = ""
    note: str = ""


def read_header(path: Path) -> Header:
    """What a file holds; decoded only where nothing but decoding tells its length.

    Raises:
        SoundFileError: There is no file, no samples in it or no format libsndfile knows; its header contradicts its
            content; or its sample rate is outside of 4 to 768 kHz.
    """
    source = _source(path)
    frames = count_samples(source)
    if frames == 0:
        raise _empty(path, "0 samples")
    return Header(
        path, source.sample_rate, source.channels, frames, source.format, source.subtype, source.note
    )


def header_findings(path: Path) -> list[Finding]:
    """What a user should know about a file whose header is wrong and whose audio is whole."""
    note = _source(path).note
    return [Finding("corrected", "header", path.name, note)] if note else []


def warn_of_header(path: Path) -> None:
    """Logs `header_findings`, for callers that read one file and keep no list of findings."""
    for finding in header_findings(path):
        log.warning("%s", finding)


def read_blocks(
    path: Path, block_samples: int, dtype: Literal["float32", "float64"] = "float32"
) -> Iterator[NDArray[Any]]:
    """The samples as they are, in blocks of (samples, channels), the last one shorter.

    Raises:
        SoundFileError: See `read_header`.
    """
    yield from decode(_source(path), block_samples, dtype)


def read_audio(path: Path) -> Audio:
    """Decodes a whole file and checks its samples.

    Shape:
        returns: (channels, samples), full scale is +-1; floating-point files may exceed it.

    Raises:
        SoundFileError: See `read_header`; or a sample is NaN or infinite, or a channel holds no programme.
    """
    source = _source(path)
    blocks = list(decode(source, HASH_BLOCK_SAMPLES, "float32"))
    if not blocks:
        raise _empty(path, "0 samples")
    audio: Audio = np.ascontiguousarray(np.concatenate(blocks).T)
    check_finite(path, audio, source.sample_rate)
    check_not_silent(path, audio)
    return audio


def audio_hash(path: Path) -> str:
    """SHA-256 of the samples: the same for WAV and FLAC, blind to the time stamps in float WAV files.

    Raises:
        SoundFileError: See `read_header`.
    """
    source = _source(path)
    digest = hashlib.sha256(f"{source.sample_rate} {source.channels}".encode())
    for block in decode(source, HASH_BLOCK_SAMPLES, "float32"):
        digest.update(block.astype("<f4").tobytes())
    return digest.hexdigest()


def check_finite(path: Path, audio: Audio, sample_rate: int) -> None:
    """Raises SoundFileError where a sample is NaN or infinite."""
    bad = ~np.isfinite(audio)
    if bad.any():
        first = int(np.argmax(bad.any(axis=0)))
        raise SoundFileError(
            str(path),
            found=f"{int(bad.sum())} NaN or infinite samples, the first at {first / sample_rate:.3f} s",
            expected="finite samples",
            fix="Export or record the file again; a plugin or a broken float file writes such samples.",
        )


def check_not_silent(path: Path, audio: Audio) -> None:
    """Raises SoundFileError where a channel never leaves its mean by more than -80 dBFS."""
    for channel, samples in enumerate(audio):
        peak = float(np.max(np.abs(samples - samples.mean())))
        if peak < SILENCE_PEAK:
            where = f"channel {channel + 1} of {len(audio)}" if len(audio) > 1 else "the file"
            raise SoundFileError(
                str(path),
                found=silence_text(where, peak),
                expected="audio with sound",
                fix="Check the recording's routing and levels and record it again.",
            )


def level_dbfs(amplitude: float) -> str:
    """Amplitude re full scale as text, with its unit; zero is digital silence."""
    return f"{20 * np.log10(amplitude):.1f} dBFS" if amplitude > 0 else "digital silence"


def silence_text(what: str, peak: float) -> str:
    """What is found in something that is too quiet to be programme; `peak` is its highest magnitude."""
    return (
        f"silence in {what}, which peaks at {level_dbfs(peak)}" if peak > 0 else f"digital silence in {what}"
    )


def _empty(path: Path, found: str) -> SoundFileError:
    return SoundFileError(
        str(path),
        found=found,
        expected="audio",
        fix="Export or record the file again; the file is empty.",
    )


def _source(path: Path) -> Source:
    try:
        if not path.is_file():
            found = "a folder" if path.is_dir() else "no file"
            raise _missing(path, found)
        if path.stat().st_size == 0:
            raise _empty(path, "0 bytes")
    except OSError as error:  # a name too long, a folder that may not be entered
        raise _missing(path, f"no file ({error.strerror})") from error
    source = survey(path)
    if not LOWEST_RATE_HZ <= source.sample_rate <= HIGHEST_RATE_HZ:
        raise SoundFileError(
            str(path),
            found=f"a sample rate of {source.sample_rate} Hz",
            expected=f"{LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ} Hz",
            fix="Export the file again with its true sample rate.",
        )
    return source


def _missing(path: Path, found: str) -> SoundFileError:
    return SoundFileError(
        str(path),
        found=found,
        expected="an audio file",
        fix="Correct the path; it may be misspelt.",
    )
