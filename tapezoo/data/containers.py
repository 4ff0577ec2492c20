"""Compares the length that a sound file's container declares with the bytes that the file holds.

libsndfile takes the shorter of what the header says and what the file holds, and is silent about the difference.
Here only the length field and the place of the audio are found; decoding stays libsndfile's.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

WRAP_BYTES = 1 << 32
MOST_BYTES = 1 << 62  # no file is longer, and no place beyond can be looked at
# what programs write before they know the length: sox 0x7FFFF000 or 0x7F000000, ffmpeg 0xFFFFFFFF or 2^63 - 1, CAF -1
PLACEHOLDERS = (
    range(0x7EFF_F000, 0x7F00_0001),
    range(0x7FFF_F000, 0x8000_0001),
    range(WRAP_BYTES - 0x1000, WRAP_BYTES),
    range((1 << 63) - 0x1000, 1 << 64),
)
TAGS = (b"TAG", b"ID3", b"APETAGEX", b"LYRICS")  # other programs append them behind the last chunk
PADDING_BYTES = 1 << 16
KNOWN_CHUNKS = (
    b"LIST|bext|cue |fact|smpl|inst|iXML|JUNK|junk|PAD |FLLR|axml|chna|acid|cart|DISP|PEAK|LGWV|_PMX|afsp|umid|minf|"
    b"elm1|regn|levl|plst|id3 |ID3 |strc|COMT|MARK|INST|NAME|AUTH|ANNO|APPL|(c) |info|midi|edct|strg|mark"
).split(b"|")  # one of them may be cut off behind the audio
# ends the GUID of every chunk but the first: of those with a name, and of markers and summaries
W64_NAMED = bytes.fromhex("f3acd3118cd100c04f8edb8a")
W64_OTHERS = (bytes.fromhex("392dd21186c700c04f8edb8a"), bytes.fromhex("525ad21186dc00c04f8edb8a"))
EXTENSIBLE = b"\xfe\xff"  # WAVE_FORMAT_EXTENSIBLE, as a `fmt ` chunk begins


@dataclass(frozen=True)
class AudioBytes:
    """Where the audio lies in a file, and how long it is.

    Args:
        start: Its first byte.
        declared: Its length, as the header says.
        present: Its length, as the file shows.
        format_chunk: The body of a WAV file's `fmt ` chunk, else empty.
        is_misread: libsndfile takes its numbers for others: floats in an extensible W64 for integers.
    """

    start: int
    declared: int
    present: int
    format_chunk: bytes = b""
    is_misread: bool = False

    @property
    def is_unfinished(self) -> bool:
        """Whether the header was never completed: the length is what programs write before they know it."""
        return self.declared == 0 or any(self.declared in values for values in PLACEHOLDERS)

    @property
    def is_wrapped(self) -> bool:
        """Whether the length was counted modulo 4 GiB."""
        return self.present > self.declared and (self.present - self.declared) % WRAP_BYTES == 0


@dataclass(frozen=True)
class Dialect:
    """How one family of containers writes its chunks."""

    first: int  # byte of the first chunk
    size_format: str  # of a chunk's length, for `struct`
    size_at: int = 4  # where in the chunk it stands
    counts_head: bool = False  # the length counts the chunk's head, too
    align: int = 2  # where the next chunk may begin
    audio: bytes = b"data"
    preamble: int = 0  # bytes of the audio's chunk before the audio

    @property
    def head(self) -> int:
        """Bytes before a chunk's body."""
        return self.size_at + struct.calcsize(self.size_format)

    def chunk(self, file: BinaryIO, at: int) -> tuple[bytes, int] | None:
        """Name and body length of the chunk at a place; None where there is none."""
        if at > MOST_BYTES:
            return None
        file.seek(at)
        head = file.read(self.head)
        if len(head) < self.head:
            return None
        length = int(struct.unpack_from(self.size_format, head, self.size_at)[0])
        guid = head[4 : self.size_at]
        is_named = all(32 <= letter < 127 or letter == 169 for letter in head[:4])
        if guid not in W64_OTHERS and not (is_named and guid in (b"", W64_NAMED)):
            return None
        body = length - self.head if self.counts_head else length
        return (head[:4], body) if body >= 0 else None


RIFF = Dialect(12, "<I")
RIFX = Dialect(12, ">I")
AIFF = Dialect(12, ">I", audio=b"SSND", preamble=8)
CAF = Dialect(8, ">Q", align=1, preamble=4)
W64 = Dialect(40, "<Q", size_at=16, counts_head=True, align=8)


def audio_bytes(path: Path) -> AudioBytes | None:
    """The audio of a WAV (RIFF, RIFX, RF64, BW64, W64), AIFF, CAF or AU file; None for what is none of them."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(40)
        kind, form = head[:4], head[8:12]
        if kind in (b"RIFF", b"RF64", b"BW64") and form == b"WAVE":
            return _walk(file, size, RIFF, wide=kind != b"RIFF")
        if kind == b"RIFX" and form == b"WAVE":
            return _walk(file, size, RIFX)
        if kind == b"FORM" and form in (b"AIFF", b"AIFC"):
            return _walk(file, size, AIFF)
        if kind == b"caff":
            return _walk(file, size, CAF)
        if kind == b"riff" and head[24:28] == b"wave":
            found = _walk(file, size, W64)
            return found and replace(found, is_misread=found.format_chunk.startswith(EXTENSIBLE))
        if kind == b".snd" and len(head) >= 12:
            start, declared = struct.unpack_from(">II", head, 4)
            return _measure(file, size, RIFF, AudioBytes(start, declared, 0))
    return None


def is_w64(path: Path) -> bool:
    """Whether a file begins as a W64 file does."""
    with path.open("rb") as file:
        head = file.read(40)
    return head[:4] == b"riff" and head[24:28] == b"wave"


def repaired_header(audio: AudioBytes) -> bytes:
    """A WAV header with the right length, for the bytes of a WAV file from `audio.start` on."""
    body = struct.pack("<4sI", b"fmt ", len(audio.format_chunk)) + audio.format_chunk
    body += b"\0" * (len(body) % 2)
    length = audio.present
    if length + len(body) + 12 < WRAP_BYTES:
        head = struct.pack("<4sI4s", b"RIFF", length + len(body) + 12, b"WAVE")
        return head + body + struct.pack("<4sI", b"data", length)
    head = struct.pack("<4sI4s", b"RF64", WRAP_BYTES - 1, b"WAVE")
    sizes = struct.pack("<4sIQQQI", b"ds64", 28, length + len(body) + 48, length, 0, 0)
    return head + sizes + body + struct.pack("<4sI", b"data", WRAP_BYTES - 1)


def _walk(file: BinaryIO, size: int, dialect: Dialect, wide: bool = False) -> AudioBytes | None:
    """Follows the chunks to the audio; `wide`: an RF64 file, whose length stands in a chunk of its own."""
    at, format_chunk = dialect.first, b""
    wide_length: int | None = None
    while (chunk := dialect.chunk(file, at)) is not None:
        name, length = chunk
        body = at + dialect.head
        if name == dialect.audio:
            if wide and wide_length is not None and length == WRAP_BYTES - 1:
                length = wide_length
            start = body + dialect.preamble
            declared = max(0, length - dialect.preamble)
            return _measure(file, size, dialect, AudioBytes(start, declared, 0, format_chunk))
        if name == b"fmt " and length <= PADDING_BYTES:
            format_chunk = file.read(length)
        if wide and name == b"ds64" and length >= 16:
            wide_length = int(struct.unpack_from("<Q", file.read(16).ljust(16, b"\0"), 8)[0])
        at = _next(dialect, body + length)
    return None


def _measure(file: BinaryIO, size: int, dialect: Dialect, audio: AudioBytes) -> AudioBytes:
    there = max(0, size - audio.start)
    for turn in range(1 + there // WRAP_BYTES):
        length = audio.declared + turn * WRAP_BYTES
        if length <= there and _is_rest(file, size, dialect, audio.start + length):
            return replace(audio, present=length)
    return replace(audio, present=there)


def _is_rest(file: BinaryIO, size: int, dialect: Dialect, at: int) -> bool:
    """Whether nothing but chunks, appended tags and padding follows: nothing that could be audio."""
    starts = {at, _next(dialect, at)}  # some programs forget the pad byte
    return any(_is_chunks(file, size, dialect, start) for start in starts)


def _is_chunks(file: BinaryIO, size: int, dialect: Dialect, at: int) -> bool:
    while at < size:
        chunk = dialect.chunk(file, at)
        if chunk is None or chunk[0] == dialect.audio:
            return _is_padding(file, at)
        end = at + dialect.head + chunk[1]
        if end > size and chunk[0] not in KNOWN_CHUNKS:
            return _is_padding(file, at)
        at = _next(dialect, end)
    return True


def _is_padding(file: BinaryIO, at: int) -> bool:
    file.seek(at)
    rest = file.read(PADDING_BYTES + 1)
    return rest.startswith(TAGS) or (len(rest) <= PADDING_BYTES and not any(rest))


def _next(dialect: Dialect, at: int) -> int:
    return at + -(at - dialect.first) % dialect.align
