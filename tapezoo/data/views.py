"""A corrected view of a file: another beginning or end, without a copy."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

ENDLESS_BYTES = 1 << 40
FOOT_BYTES = 4096  # decoders look for tags there


class View(io.RawIOBase):
    """`prefix`, then the bytes of a file; as libsndfile reads it.

    Args:
        path: The file.
        prefix: Stands before its bytes.
        start: The first of its bytes that is read.
        is_endless: Report a length too large to estimate from; reading ends where the file does.
    """

    def __init__(self, path: Path, prefix: bytes = b"", start: int = 0, is_endless: bool = False) -> None:
        super().__init__()
        self._file = path.open("rb")
        self._prefix, self._start, self._position = prefix, start, 0
        self._size = path.stat().st_size
        self._is_endless = is_endless
        self._end = len(prefix) + (ENDLESS_BYTES if is_endless else max(0, self._size - start))

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves to a place, also beyond the end."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._end}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Any, /) -> int:
        """Fills `buffer`, less of it only at the end."""
        room = memoryview(buffer).cast("B")
        piece = self._prefix[self._position : self._position + len(room)]
        if len(piece) < len(room):
            at = self._start + self._position + len(piece) - len(self._prefix)
            if self._is_endless and self._position >= self._end - FOOT_BYTES:
                at = max(0, self._size - (self._end - self._position))
            self._file.seek(at)
            piece += self._file.read(len(room) - len(piece))
        room[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
        super().close()
