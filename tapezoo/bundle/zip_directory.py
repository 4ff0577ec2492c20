"""Checks the directory of a zip file before `zipfile` reads it: its length decides the memory that takes."""

from __future__ import annotations

import os
import struct
from pathlib import Path

END, END_64, LOCATOR_64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
END_BYTES, END_64_BYTES, LOCATOR_64_BYTES = 22, 56, 20
MEMBER_BYTES = 1 << 10  # of the directory, for one file


def check_directory(path: Path, most_members: int) -> None:
    """Refuses archives that list more than they should, in a few kilobytes of memory.

    Raises:
        ValueError: That, or no archive as Python, numpy and torch write them, without a comment at the end.
        OSError: The file cannot be read.
    """
    tail_bytes = END_BYTES + LOCATOR_64_BYTES + END_64_BYTES
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - tail_bytes))
        tail = file.read()
    end = tail[-END_BYTES:]
    if len(end) < END_BYTES or end[:4] != END or end[-2:] != b"\0\0":
        raise ValueError("a file that is not a zip archive, or has data after its end")
    (directory_bytes,) = struct.unpack_from("<I", end, 12)
    locator = tail[-END_BYTES - LOCATOR_64_BYTES : -END_BYTES]
    if locator[:4] == LOCATOR_64:
        end = tail[: -END_BYTES - LOCATOR_64_BYTES]
        if len(end) < END_64_BYTES or end[:4] != END_64:
            raise ValueError("a zip archive that is incomplete")
        (directory_bytes,) = struct.unpack_from("<Q", end, 40)
    if directory_bytes > (most_members + 1) * MEMBER_BYTES:
        raise ValueError(f"a zip archive that lists its members in {directory_bytes} bytes")
