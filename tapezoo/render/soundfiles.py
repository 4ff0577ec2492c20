"""Sound files as streams of blocks: inspected first, read with checks, written bit for bit."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from tapezoo.data import audio
from tapezoo.data.audio import read_header
from tapezoo.data.decoding import native_path
from tapezoo.data.errors import SoundFileError
from tapezoo.errors import OutputExistsError, UnwritableOutputError
from tapezoo.render.errors import RenderError
from tapezoo.staging import replaced_file

Interleaved = NDArray[np.float64]  # (samples, channels), full scale is +-1

RF64_BYTES = 4_000_000_000  # a plain WAV header counts to 2**32 bytes
PCM_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
FLOAT_BITS = {"FLOAT": 32, "DOUBLE": 64}
LIMITS = {"FLAC": (8, 655_350)}  # channels, Hz
FORMATS = {
    "wav": "WAV",
    "wave": "WAV",
    "flac": "FLAC",
    "aif": "AIFF",
    "aiff": "AIFF",
    "rf64": "RF64",
    "w64": "W64",
}


@dataclass(frozen=True)
class Layout:
    """What a sound file holds, apart from the sound."""

    sample_rate: int  # Hz
    channels: int
    samples: int
    format: str  # libsndfile's names
    subtype: str
    note: str = ""  # what was wrong with the header, though the audio is whole


def inspect(source: Path) -> Layout:
    """What `source` holds, as far as it really decodes.

    Raises:
        TapezooError: See `tapezoo.data.audio.read_header`.
    """
    header = read_header(source)
    return Layout(
        header.sample_rate, header.channels, header.frames, header.format, header.subtype, header.note
    )


def read_blocks(source: Path, block_samples: int) -> Iterator[Interleaved]:
    """The file in blocks of `block_samples`, the last one shorter.

    Raises:
        SoundFileError: The audio ends before its header says, or cannot be decoded; or a sample is NaN or infinite,
            with its place.
    """
    position = 0
    for block in audio.read_blocks(source, block_samples, "float64"):
        finite = np.isfinite(block).all(axis=1)
        if not finite.all():
            first, sample_rate = position + int(np.argmin(finite)), read_header(source).sample_rate
            raise SoundFileError(
                str(source),
                found=f"NaN or infinity at sample {first} ({first / sample_rate:.3f} s)",
                expected="finite samples",
                fix="Export the file again, or cut out that place.",
            )
        position += len(block)
        yield block


def output_layout(layout: Layout, target: Path) -> Layout:
    """The layout `target` gets: format from its suffix; linear PCM and floats stay what they are, the rest 24 bit.

    Raises:
        RenderError: The suffix names no format that can be written, or one that cannot hold the audio.
    """
    file_format = FORMATS.get(target.suffix.removeprefix(".").lower())
    if file_format is None:
        raise RenderError(
            str(target),
            found=f"the suffix {target.suffix!r}",
            expected=f"one of {', '.join('.' + suffix for suffix in FORMATS)}",
            fix="Change the name.",
        )
    is_lossless = layout.subtype in PCM_BITS or layout.subtype in FLOAT_BITS
    subtype = layout.subtype if is_lossless and _holds(file_format, layout.subtype) else "PCM_24"
    audio_bytes = layout.samples * layout.channels * (PCM_BITS | FLOAT_BITS)[subtype] // 8
    if file_format == "WAV" and audio_bytes > RF64_BYTES:
        file_format = "RF64"
    if file_format == "AIFF" and audio_bytes > RF64_BYTES:
        raise _format_error(target, file_format, f"{audio_bytes} bytes of audio", f"at most {RF64_BYTES}")
    written = Layout(layout.sample_rate, layout.channels, layout.samples, file_format, subtype, layout.note)
    if file_format in LIMITS:
        channels, sample_rate = LIMITS[file_format]
        if layout.channels > channels:
            raise _format_error(target, file_format, f"{layout.channels} channels", f"at most {channels}")
        if layout.sample_rate > sample_rate:
            raise _format_error(target, file_format, f"{layout.sample_rate} Hz", f"at most {sample_rate} Hz")
    try:
        with soundfile.SoundFile(
            io.BytesIO(), "w", layout.sample_rate, layout.channels, subtype=subtype, format=file_format
        ):
            pass
    except (soundfile.LibsndfileError, ValueError) as error:
        found = f"{layout.channels} channels at {layout.sample_rate} Hz as {subtype} ({error})"
        raise _format_error(target, file_format, found, f"what {file_format} can hold") from error
    return written


def check_target(source: Path, target: Path, overwrite: bool) -> None:
    """Says before any work whether `target` may be written.

    Raises:
        RenderError: `source` and `target` are one file.
        OutputExistsError: Something is there, and `overwrite` is off.
        UnwritableOutputError: It is a folder, or its folder is missing or cannot be written.
    """
    try:
        if target.is_dir():
            raise UnwritableOutputError(target, "it is a folder")
        if target.exists() and target.samefile(source):
            raise RenderError(
                str(target), found="the input itself", expected="another file", fix="Choose another output."
            )
        if target.exists() and not overwrite:
            raise OutputExistsError(target)
        if not target.parent.is_dir():
            raise UnwritableOutputError(target, f"no folder {target.parent}")
        # permission bits do not cover root, read-only file systems and /proc: only writing shows
        with tempfile.NamedTemporaryFile(prefix=".tapezoo-", dir=target.parent):
            pass
        with suppress(FileNotFoundError):
            target.lstat()  # a name that is too long
    except OSError as error:
        raise UnwritableOutputError(target, error) from error


def open_writer(path: Path, layout: Layout) -> soundfile.SoundFile:
    """A file open for writing, in `layout`, whatever the suffix of `path`. Raises OSError."""
    try:
        return soundfile.SoundFile(
            native_path(path),
            "w",
            layout.sample_rate,
            layout.channels,
            subtype=layout.subtype,
            format=layout.format,
        )
    except soundfile.LibsndfileError as error:
        raise OSError(str(error)) from error


def write_float_wav(path: Path, signal: NDArray[Any], sample_rate: int) -> None:
    """Writes (samples,) or (samples, channels) as float32 WAV, over full scale and not finite too.

    Raises:
        UnwritableOutputError: It cannot be written, or the disk is full.
    """
    content = io.BytesIO()  # libsndfile gives no reason when it cannot write a file
    soundfile.write(content, signal, sample_rate, subtype="FLOAT", format="WAV")
    with replaced_file(path) as part:
        part.write_bytes(content.getvalue())  # no view: see WholeFiles


def write_block(writer: soundfile.SoundFile, block: Interleaved) -> None:
    """Appends `block`; integer subtypes clip at full scale. Raises OSError.

    libsndfile reads integers over 2**(bits - 1) but writes them over 2**(bits - 1) - 1; rounded here, unchanged
    audio comes back as the same integers.
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


def _holds(file_format: str, subtype: str) -> bool:
    return bool(soundfile.check_format(file_format, subtype))


def _format_error(target: Path, file_format: str, found: str, expected: str) -> RenderError:
    return RenderError(
        str(target),
        found=f"{found} for a {file_format} file",
        expected=expected,
        fix="Choose another format: .wav supports most formats, .w64 any length.",
    )
