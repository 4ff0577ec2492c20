"""Sound files as streams of blocks: inspected before, read with checks, written without losing a bit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from tapezoo.data.audio import NonFiniteError, read_header
from tapezoo.errors import OutputExistsError, TapezooError, UnwritableOutputError

Audio = NDArray[np.float64]  # (samples, channels), full scale is +-1

RF64_BYTES = 4_000_000_000  # a plain WAV header counts to 2**32 bytes
PCM_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
FORMATS = {
    "wav": "WAV",
    "wave": "WAV",
    "flac": "FLAC",
    "aif": "AIFF",
    "aiff": "AIFF",
    "rf64": "RF64",
    "w64": "W64",
}


class DamagedAudioError(TapezooError):
    """The audio cannot be decoded to its end."""


class SameFileError(TapezooError):
    """The output would replace the input."""


class OutputFormatError(TapezooError):
    """The name of the output says a format that cannot be written."""


@dataclass(frozen=True)
class Layout:
    """What a sound file holds, apart from the sound."""

    sample_rate: int  # Hz
    channels: int
    samples: int
    format: str  # libsndfile's names
    subtype: str


def inspect(source: Path) -> Layout:
    """Reads the header of `source`.

    Raises:
        MissingFileError, EmptyFileError, NotAudioError: See `tapezoo.data.audio.read_header`.
    """
    read_header(source)
    info = soundfile.info(str(source))
    return Layout(info.samplerate, info.channels, info.frames, info.format, info.subtype)


def read_blocks(source: Path, block_samples: int) -> Iterator[Audio]:
    """The file in blocks of `block_samples`, the last one shorter.

    Raises:
        DamagedAudioError: The audio ends before its header says, or cannot be decoded.
        NonFiniteError: With the place of the first NaN or infinity.
    """
    position = 0
    with soundfile.SoundFile(source) as reader:
        while position < reader.frames:
            try:
                block: Audio = reader.read(block_samples, dtype="float64", always_2d=True)
            except soundfile.LibsndfileError as error:
                raise _damaged(source, f"damaged audio after sample {position} ({error})") from error
            if len(block) == 0:
                raise _damaged(source, f"{position} samples where its header says {reader.frames}")
            finite = np.isfinite(block).all(axis=1)
            if not finite.all():
                first = position + int(np.argmin(finite))
                raise NonFiniteError(
                    str(source),
                    found=f"NaN or infinity at sample {first} ({first / reader.samplerate:.3f} s)",
                    expected="finite samples",
                    fix="Export the file again, or cut that place out.",
                )
            position += len(block)
            yield block


def output_layout(layout: Layout, target: Path) -> Layout:
    """The layout `target` gets: format from its suffix, subtype as before or else 24 bit.

    Raises:
        OutputFormatError: The suffix names no format that can be written.
    """
    file_format = FORMATS.get(target.suffix.removeprefix(".").lower())
    if file_format is None:
        raise OutputFormatError(
            str(target),
            found=f"the suffix {target.suffix!r}",
            expected=f"one of {', '.join('.' + suffix for suffix in FORMATS)}",
            fix="Change the name.",
        )
    subtype = layout.subtype if soundfile.check_format(file_format, layout.subtype) else "PCM_24"
    bytes_per_sample = PCM_BITS.get(subtype, 32 if subtype == "FLOAT" else 64) // 8
    if file_format == "WAV" and layout.samples * layout.channels * bytes_per_sample > RF64_BYTES:
        file_format = "RF64"
    return Layout(layout.sample_rate, layout.channels, layout.samples, file_format, subtype)


def check_target(source: Path, target: Path, overwrite: bool) -> None:
    """Says before any work whether `target` may be written.

    Raises:
        SameFileError: `source` and `target` are one file.
        OutputExistsError: Something is there, and `overwrite` is off.
        UnwritableOutputError: It is a folder, or its folder is missing.
    """
    if target.is_dir():
        raise UnwritableOutputError(target, "it is a folder")
    if target.exists() and target.samefile(source):
        raise SameFileError(
            str(target), found="the input itself", expected="another file", fix="Choose another output."
        )
    if target.exists() and not overwrite:
        raise OutputExistsError(target)
    if not target.parent.is_dir():
        raise UnwritableOutputError(target, f"no folder {target.parent}")


def open_writer(path: Path, layout: Layout) -> soundfile.SoundFile:
    """A file open for writing, in `layout`, whatever the suffix of `path`. Raises OSError."""
    try:
        return soundfile.SoundFile(
            path, "w", layout.sample_rate, layout.channels, subtype=layout.subtype, format=layout.format
        )
    except soundfile.LibsndfileError as error:
        raise OSError(str(error)) from error


def write_block(writer: soundfile.SoundFile, block: Audio) -> None:
    """Appends `block`; integer subtypes clip at full scale. Raises OSError.

    libsndfile reads integers over 2**(bits - 1) but writes them over 2**(bits - 1) - 1; rounded here, audio
    that nobody changed comes back as the very integers it was.
    """
    bits = PCM_BITS.get(writer.subtype)
    data: NDArray[np.float64] | NDArray[np.int32] = block
    if bits is not None:
        scale = 2.0 ** (bits - 1)
        steps = np.clip(np.rint(block * scale), -scale, scale - 1).astype(np.int64)
        data = (steps << (32 - bits)).astype(np.int32)
    try:
        writer.write(data)
    except (soundfile.LibsndfileError, AssertionError) as error:  # soundfile asserts that all was written
        raise OSError(f"the disk may be full: {error or 'not all samples were written'}") from error


def _damaged(source: Path, found: str) -> DamagedAudioError:
    return DamagedAudioError(
        str(source),
        found=found,
        expected="audio as long as the header says",
        fix="Copy or export the file again.",
    )
