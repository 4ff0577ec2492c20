"""Reads audio files into float32, channels first; refuses what is not usable audio."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from tapezoo.errors import TapezooError

Audio = NDArray[np.float32]

HASH_BLOCK_SAMPLES = 1 << 18
SILENCE_PEAK = 1e-4  # -80 dBFS: below it a file holds no programme


class MissingFileError(TapezooError):
    """There is no file at this path."""


class EmptyFileError(TapezooError):
    """The file holds no bytes or no samples."""


class NotAudioError(TapezooError):
    """The file cannot be decoded as audio."""


class NonFiniteError(TapezooError):
    """The file holds NaN or infinite samples."""


class SilentFileError(TapezooError):
    """The file holds nothing but silence (a constant offset counts as silence)."""


@dataclass(frozen=True)
class Header:
    """What a file says about itself without being decoded."""

    path: Path
    sample_rate: int  # Hz
    channels: int
    frames: int  # samples per channel


def read_header(path: Path) -> Header:
    """Reads the header only.

    Raises:
        MissingFileError: No file there.
        EmptyFileError: No bytes or no samples in it.
        NotAudioError: Not a format libsndfile knows.
    """
    if not path.is_file():
        found = "a folder" if path.is_dir() else "no file"
        raise MissingFileError(
            str(path),
            found=found,
            expected="an audio file",
            fix="Correct the path; it may hold a typing error.",
        )
    if path.stat().st_size == 0:
        raise _empty(path, "0 bytes")
    try:
        info = soundfile.info(str(path))
    except soundfile.LibsndfileError as error:
        raise _not_audio(path, error) from error
    if info.frames == 0:
        raise _empty(path, "0 samples")
    return Header(path, int(info.samplerate), int(info.channels), int(info.frames))


def read_audio(path: Path) -> Audio:
    """Decodes a whole file and checks its samples.

    Shape:
        returns: (channels, samples), full scale is +-1; floating-point files may exceed it.

    Raises:
        NotAudioError: Decoding fails.
        NonFiniteError: NaN or infinity among the samples.
        SilentFileError: A channel without programme.
    """
    try:
        samples, sample_rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise _not_audio(path, error) from error
    audio: Audio = np.ascontiguousarray(samples.T)
    if audio.shape[1] == 0:
        raise _empty(path, "0 samples")
    check_finite(path, audio, int(sample_rate))
    check_not_silent(path, audio)
    return audio


def audio_hash(path: Path) -> str:
    """SHA-256 of the samples: the same for WAV and FLAC, blind to the time stamps in float WAV files.

    Raises:
        NotAudioError: Decoding fails.
    """
    digest = hashlib.sha256()
    try:
        with soundfile.SoundFile(str(path)) as file:
            digest.update(f"{file.samplerate} {file.channels}".encode())
            for block in file.blocks(HASH_BLOCK_SAMPLES, dtype="float32", always_2d=True):
                digest.update(block.astype("<f4").tobytes())
    except soundfile.LibsndfileError as error:
        raise _not_audio(path, error) from error
    return digest.hexdigest()


def check_finite(path: Path, audio: Audio, sample_rate: int) -> None:
    """Raises NonFiniteError where a sample is NaN or infinite."""
    bad = ~np.isfinite(audio)
    if bad.any():
        first = int(np.argmax(bad.any(axis=0)))
        raise NonFiniteError(
            str(path),
            found=f"{int(bad.sum())} NaN or infinite samples, the first at {first / sample_rate:.3f} s",
            expected="finite samples",
            fix="Export or record the file again; a plugin or a broken float file writes such samples.",
        )


def check_not_silent(path: Path, audio: Audio) -> None:
    """Raises SilentFileError where a channel never leaves its mean by more than -80 dBFS."""
    for channel, samples in enumerate(audio):
        peak = float(np.max(np.abs(samples - samples.mean())))
        if peak < SILENCE_PEAK:
            where = f"channel {channel + 1} of {len(audio)}" if len(audio) > 1 else "the file"
            raise SilentFileError(
                str(path),
                found=f"silence: {where} peaks at {level_db(peak)} dBFS",
                expected="programme material",
                fix="Check the recording's routing and levels and record it again.",
            )


def level_db(amplitude: float) -> str:
    """Amplitude re full scale as text, "-inf" for zero."""
    return f"{20 * np.log10(amplitude):.1f}" if amplitude > 0 else "-inf"


def _empty(path: Path, found: str) -> EmptyFileError:
    return EmptyFileError(
        str(path),
        found=found,
        expected="audio",
        fix="Export or record the file again; the last attempt wrote nothing.",
    )


def _not_audio(path: Path, error: Exception) -> NotAudioError:
    return NotAudioError(
        str(path),
        found=f"a file that cannot be decoded ({str(error).rstrip('.')})",
        expected="WAV, FLAC, AIFF or another format libsndfile reads",
        fix="Convert it to WAV or FLAC.",
    )
