"""What FLAC, MP3 and Ogg files say about their length, read from their first and last bytes."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import BinaryIO

FLAC_TOTAL_AT = 21  # its lowest 4 bits, then 4 bytes: samples in all
_MARK = re.compile(rb"Xing|Info|VBRI")
MARK_WITHIN = 400  # bytes of the first frame: side information, a CRC


def flac_total(path: Path) -> int | None:
    """Samples per channel in FLAC's own header; 0: unknown; None: no plain FLAC file."""
    head = _head(path, 26)
    if head[:4] != b"fLaC" or len(head) < 26:
        return None
    return int.from_bytes(head[FLAC_TOTAL_AT : FLAC_TOTAL_AT + 5], "big") & ((1 << 36) - 1)


def flac_with_total(path: Path, total: int) -> bytes:
    """The first bytes of a FLAC file, with another number of samples."""
    head = _head(path, 26)
    kept = int.from_bytes(head[FLAC_TOTAL_AT:], "big") >> 36 << 36
    return head[:FLAC_TOTAL_AT] + (kept | total).to_bytes(5, "big")


def is_mp3(path: Path) -> bool:
    """Whether the file begins as MP3 files do: with a tag or a frame."""
    head = _head(path, 3)
    return head == b"ID3" or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 in (0xE2, 0xE4, 0xE6))


def has_mp3_length(path: Path) -> bool:
    """Whether the first frame holds a header of Xing's or Fraunhofer's kind."""
    with path.open("rb") as file:
        file.seek(_id3_bytes(file))
        return _MARK.search(file.read(MARK_WITHIN)) is not None


def mp3_bytes(path: Path) -> tuple[int, int] | None:
    """Bytes of audio that a Xing header declares and that the file holds; None where the header declares none."""
    with path.open("rb") as file:
        start = _id3_bytes(file)
        file.seek(start)
        head = file.read(MARK_WITHIN + 16)
        mark = _MARK.search(head, 0, MARK_WITHIN)
        if mark is None or mark.group() == b"VBRI" or len(head) < mark.end() + 12:
            return None
        (flags,) = struct.unpack_from(">I", head, mark.end())
        if not flags & 2:
            return None
        (declared,) = struct.unpack_from(">I", head, mark.end() + (8 if flags & 1 else 4))
        present = path.stat().st_size - start - _trailing_tags(file, path.stat().st_size)
        return (declared, present) if declared else None


def ogg_streams(path: Path) -> tuple[int, bool]:
    """How many logical streams begin in an Ogg file, and whether its last page is marked as the last."""
    streams, is_closed = 0, False
    size = path.stat().st_size
    with path.open("rb") as file:
        while len(head := file.read(27)) == 27 and head[:4] == b"OggS":
            streams += bool(head[5] & 2)
            file.seek(sum(file.read(head[26])), 1)
            is_closed = bool(head[5] & 4) and file.tell() <= size
    return streams, is_closed


def _head(path: Path, length: int) -> bytes:
    with path.open("rb") as file:
        return file.read(length)


def _id3_bytes(file: BinaryIO) -> int:
    """Length of the ID3v2 tags at the start."""
    at = 0
    while True:
        file.seek(at)
        head = file.read(10)
        if head[:3] != b"ID3" or len(head) < 10:
            return at
        length = sum((byte & 0x7F) << (21 - 7 * place) for place, byte in enumerate(head[6:10]))
        at += 10 + length + (10 if head[5] & 0x10 else 0)


def _trailing_tags(file: BinaryIO, size: int) -> int:
    """Length of ID3v1 and APE tags at the end."""
    length = 0
    file.seek(max(0, size - 128))
    if file.read(3) == b"TAG":
        length = 128
    file.seek(max(0, size - length - 32))
    foot = file.read(32)
    if foot[:8] == b"APETAGEX":
        body, _, flags = struct.unpack_from("<III", foot, 12)
        length += body + (32 if flags >> 31 else 0)
    return length
