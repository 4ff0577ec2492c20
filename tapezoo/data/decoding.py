"""How many samples of a sound file really decode: the one place that opens sound files for reading.

What decodes counts. A header may contradict its file. If the file is plainly whole (a recorder that never completed
its header, a length counted modulo 4 GiB), the audio is used and the user is told. Any other file is refused with both
figures.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import soundfile
from numpy.typing import NDArray

from tapezoo.data.coded import flac_total, flac_with_total, has_mp3_length, is_mp3, mp3_bytes, ogg_streams
from tapezoo.data.containers import AudioBytes, audio_bytes, is_w64, repaired_header
from tapezoo.data.errors import SoundFileError
from tapezoo.data.views import View

COUNT_BLOCK_SAMPLES = 1 << 16
MP3_SLACK = 0.01  # of the length in a Xing header: its writers count tags and their own frame differently
WIDTHS = {
    "PCM_S8": 1,
    "PCM_U8": 1,
    "PCM_16": 2,
    "PCM_24": 3,
    "PCM_32": 4,
    "FLOAT": 4,
    "DOUBLE": 8,
    "ULAW": 1,
    "ALAW": 1,
}


class Sound(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file read from its start to its end.

    soundfile seeks after every block, and not all formats can; this one never does.
    """

    def seekable(self) -> bool:
        """No."""
        return False


@dataclass(frozen=True)
class Source:
    """A sound file, and what is known about it before it is decoded.

    Args:
        path: The file.
        sample_rate: Hz.
        channels: How many.
        format: libsndfile's name.
        subtype: libsndfile's name.
        frames: Samples per channel; None: only decoding tells.
        note: What was wrong with the header and is corrected; else empty.
        prefix: Stands for the header in front of the audio; empty: the file as it is.
        start: First byte of the file behind `prefix`.
        is_endless: The decoder must not estimate a length.
    """

    path: Path
    sample_rate: int
    channels: int
    format: str
    subtype: str
    frames: int | None
    note: str = ""
    prefix: bytes = b""
    start: int = 0
    is_endless: bool = False

    def open(self) -> AbstractContextManager[Sound]:
        """The file, open for reading."""
        return _open(self.path, self.prefix, self.start, self.is_endless)


def native_path(path: Path) -> str | bytes:
    """`path` as soundfile can open it: it encodes text strictly, but a name may hold any bytes."""
    return str(path) if sys.platform == "win32" else os.fsencode(path)


def survey(path: Path) -> Source:
    """Examines a sound file without decoding it, and decides whether its header can be trusted.

    Raises:
        SoundFileError: libsndfile does not know the format, or header and content contradict each other.
    """
    try:
        audio = audio_bytes(path)
        prefix, start, note = b"", 0, ""
        if audio is not None and audio.declared != audio.present:
            note = _contradiction(path, audio)
        if audio is None and is_w64(path):
            raise _damage_error(path, "a W64 file without an audio chunk")
        if audio is not None and audio.format_chunk and (note or audio.is_misread):
            prefix, start = repaired_header(audio), audio.start
        is_endless = is_mp3(path) and not has_mp3_length(path)
        with _open(path, prefix, start, is_endless) as sound:
            source = Source(
                path,
                int(sound.samplerate),
                int(sound.channels),
                str(sound.format),
                str(sound.subtype),
                int(sound.frames),
                note,
                prefix,
                start,
                is_endless,
            )
    except (soundfile.LibsndfileError, OSError, TypeError) as error:  # TypeError: a name that ends in .raw
        raise _format_error(path, error) from error
    width = WIDTHS.get(source.subtype)
    if note and audio is not None and width is not None:
        present = audio.present // (width * source.channels)
        if source.frames != present:  # a container that cannot be repaired here
            raise _header_error(path, f"{present} samples", f"{source.frames}")
    if audio is not None and source.subtype.startswith(
        "MPEG"
    ):  # libsndfile estimates its length, in a WAV too
        return replace(source, frames=None, prefix=b"", start=audio.start, is_endless=True)
    return _settle_length(source)


def count_samples(source: Source) -> int:
    """Samples per channel, by decoding all of it where nothing else tells."""
    if source.frames is not None:
        return source.frames
    return sum(len(block) for block in decode(source, COUNT_BLOCK_SAMPLES, "float32"))


def decode(
    source: Source, block_samples: int, dtype: Literal["float32", "float64"]
) -> Iterator[NDArray[Any]]:
    """The audio in blocks of (samples, channels), the last one shorter.

    Raises:
        SoundFileError: It ends before the header says, or cannot be decoded.
    """
    position = 0
    try:
        with source.open() as sound:
            while True:
                block: NDArray[Any] = sound.read(block_samples, dtype=dtype, always_2d=True)
                if len(block) == 0:
                    break
                position += len(block)
                yield block
    except (soundfile.LibsndfileError, OSError) as error:
        raise _damage_error(source.path, f"damaged audio after sample {position} ({error})") from error
    if source.frames is not None and position != source.frames:
        raise _header_error(source.path, f"{position} samples", f"{source.frames}")


def _format_error(path: Path, error: Exception) -> SoundFileError:
    """The error for a file that libsndfile does not open."""
    return SoundFileError(
        str(path),
        found=f"a file that cannot be decoded ({str(error).rstrip('.')})",
        expected="WAV, FLAC, AIFF or another format libsndfile reads",
        fix="Convert it to WAV or FLAC.",
    )


@contextmanager
def _open(path: Path, prefix: bytes, start: int, is_endless: bool) -> Iterator[Sound]:
    if not prefix and not is_endless:
        with Sound(native_path(path)) as sound:
            yield sound
        return
    with View(path, prefix, start, is_endless) as view, Sound(view) as sound:
        yield sound


def _contradiction(path: Path, audio: AudioBytes) -> str:
    """The note on a wrong header of a file whose audio is plainly whole; raises for any other."""
    if audio.is_unfinished or audio.is_wrapped:
        why = "was never completed" if audio.is_unfinished else "is limited to 4 GiB"
        return (
            f"its header {why}: it announces {audio.declared} bytes of audio, {audio.present} are there; "
            "all of them are used"
        )
    raise _header_error(path, f"{audio.present} bytes of audio", f"{audio.declared}")


def _settle_length(source: Source) -> Source:
    """Settles the length of what is coded: FLAC, MP3, Ogg."""
    path = source.path
    if source.format == "FLAC":
        total = flac_total(path)
        if total == 0:
            return replace(source, frames=None)
        if total is not None and not _reaches(path, total - 1):
            raise _damage_error(path, f"audio that ends before sample {total}, the end its header announces")
        if total is not None and _reaches(path, total, flac_with_total(path, total + (1 << 16))):
            raise _damage_error(path, f"more audio than the {total} samples its header announces")
    if source.is_endless:
        return replace(source, frames=None)
    if source.format == "MP3" and (sizes := mp3_bytes(path)) is not None:
        declared, present = sizes
        if abs(declared - present) > MP3_SLACK * max(declared, present):
            raise _header_error(path, f"{present} bytes of audio", f"{declared}")
    if source.format == "OGG":
        streams, is_closed = ogg_streams(path)
        if streams > 1:
            raise _damage_error(
                path, f"{streams} streams in one Ogg file, of which only the first can be decoded"
            )
        if not is_closed:
            note = f"it was cut off: its last page is missing; its {source.frames} samples are used"
            return replace(source, note=note)
    return source


def _reaches(path: Path, sample: int, prefix: bytes = b"") -> bool:
    """Whether the sample decodes; `prefix` replaces as many bytes of the file."""
    try:
        with View(path, prefix, len(prefix)) as view, soundfile.SoundFile(view) as sound:
            sound.seek(sample)
            return len(sound.read(1, dtype="float32", always_2d=True)) == 1
    except soundfile.LibsndfileError:
        return False


def _header_error(path: Path, found: str, declared: str) -> SoundFileError:
    return _damage_error(path, f"{found} where its header announces {declared}")


def _damage_error(path: Path, found: str) -> SoundFileError:
    return SoundFileError(
        str(path),
        found=found,
        expected="as much audio as the header says",
        fix="Copy or export the file again; if it is complete, save it again from an audio editor.",
    )
