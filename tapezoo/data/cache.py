"""Prepared audio on disk: one float32 memory map and an index, under a key made of everything that shaped it.

Random segments from a memory map are about thirty times faster than from a sound file. A store is written
beside its final place and moved there as a whole, so a reader, or a second process that prepares the same
data, sees nothing or all of it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
import uuid
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapezoo.data.arguments import in_bytes
from tapezoo.data.errors import CacheError
from tapezoo.data.findings import Finding
from tapezoo.data.prepared import PreparedRow
from tapezoo.data.splits import Regions
from tapezoo.data.streams import blocks

FORMAT = 3  # raise it when the meaning of the files below changes, or what is found in the same audio
INPUT, TARGET, STEADY_INPUT, DELAY = range(4)  # the signals of a row in their order
AUDIO_FILE, INDEX_FILE = "audio.f32", "index.json"
CHUNK_BYTES = 1 << 24
BUILDING, READING, DAMAGED = "building-", "reading-", "damaged-"  # folders beside the entries, while at work
LEFTOVER_S = (
    24 * 3600.0
)  # a working folder without a write for this long belongs to a process that was killed


@dataclass(frozen=True)
class StoredRow:
    """One row in the memory map: its signals one after another, input first, from `offset` on.

    Args:
        name: For reports.
        offset: First sample of the input in the map.
        length: Samples of each signal.
        controls: Net positions 0..1.
        regions: Where each split lies in the row.
        idle: Controls that change nothing in this row.
        signals: How many there are: input and target; a third, the steady input, where the input follows a
            wandering delay; a fourth, that delay, where it is given to the model.
        spread: Controls of which every row has a value of its own.
    """

    name: str
    offset: int
    length: int
    controls: Sequence[float]
    regions: Regions
    idle: Sequence[int]
    signals: int = 2
    spread: Sequence[int] = ()

    @property
    def wanders(self) -> bool:
        """Whether the input follows a wandering delay, so that there is a steady one beside it."""
        return self.signals > STEADY_INPUT

    @property
    def gives_delay(self) -> bool:
        """Whether the model gets the steady input together with the delay."""
        return self.signals > DELAY


@dataclass(frozen=True)
class Store:
    """Prepared audio, opened."""

    samples: NDArray[np.float32]  # read-only memory map, (samples,)
    rows: list[StoredRow]
    findings: list[Finding]

    def input(self, row: StoredRow, start: int, stop: int) -> NDArray[np.float32]:
        """A view of the row's dry signal."""
        return self._signal(row, INPUT, start, stop)

    def target(self, row: StoredRow, start: int, stop: int) -> NDArray[np.float32]:
        """A view of the row's wet signal."""
        return self._signal(row, TARGET, start, stop)

    def steady_input(self, row: StoredRow, start: int, stop: int) -> NDArray[np.float32]:
        """A view of the row's dry signal with only a constant delay taken off, of a row that `wanders`."""
        return self._signal(row, STEADY_INPUT, start, stop)

    def delay(self, row: StoredRow, start: int, stop: int) -> NDArray[np.float32]:
        """A view of the delay of target against the steady input, in samples, of a row that `gives_delay`."""
        return self._signal(row, DELAY, start, stop)

    def _signal(self, row: StoredRow, number: int, start: int, stop: int) -> NDArray[np.float32]:
        offset = row.offset + number * row.length
        return self.samples[offset + start : offset + stop]


def content_hash(content: Any) -> str:
    """SHA-256 of plain values, the same on every machine."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def open_store(root: Path, key: str) -> Store | None:
    """The store under `key`, or None where it is missing or damaged."""
    folder = root / key
    try:
        index = json.loads((folder / INDEX_FILE).read_text(encoding="utf-8"))
        if index["format"] != FORMAT or _checksum(folder / AUDIO_FILE) != index["crc32"]:
            return None
        rows = [
            StoredRow(
                row["name"],
                row["offset"],
                row["length"],
                row["controls"],
                {split: (start, stop) for split, (start, stop) in row["regions"].items()},
                row["idle"],
                row.get("signals", 2),  # entries from before there were others are good as they are
                row.get("spread", ()),
            )
            for row in index["rows"]
        ]
        findings = [Finding(**finding) for finding in index["findings"]]
        samples = np.memmap(folder / AUDIO_FILE, dtype="<f4", mode="r")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # whatever a truncated or foreign file raises: it is rebuilt
    return Store(samples, rows, findings)


def check_room(root: Path, needed_bytes: int) -> None:
    """Raises CacheError where the disk has less room than prepared audio will take."""
    place = next((folder for folder in (root, *root.absolute().parents) if folder.is_dir()), None)
    free = shutil.disk_usage(place).free if place else needed_bytes
    if needed_bytes > free:
        raise CacheError.from_os(
            root, OSError(f"{in_bytes(needed_bytes)} are needed, {in_bytes(free)} are free")
        )


def remove_leftovers(root: Path) -> None:
    """Removes what a process that was killed while it prepared audio left in the cache."""
    for prefix in (BUILDING, READING, DAMAGED):
        for folder in root.glob(f"{prefix}*"):
            with suppress(OSError):  # its owner is faster, or it is another user's
                if (
                    time.time() - max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
                    > LEFTOVER_S
                ):
                    shutil.rmtree(folder)


@contextmanager
def scratch(root: Path) -> Iterator[Path]:
    """A temporary folder for decoded audio, removed afterwards.

    Raises:
        CacheError: It cannot be made.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=READING, dir=root))
    except OSError as error:
        raise CacheError.from_os(root, error) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_store(root: Path, key: str, rows: Iterable[PreparedRow]) -> None:
    """Writes `rows`, one at a time, and puts them under `key`; a damaged store there is replaced.

    Raises:
        CacheError: The folder cannot be made or written.
    """
    remove_leftovers(root)
    try:
        root.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f"{BUILDING}{key[:12]}-", dir=root))
    except OSError as error:
        raise CacheError.from_os(root, error) from error
    try:
        _write_files(building, root, rows)
        _move_into_place(building, root, key)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _write_files(building: Path, root: Path, rows: Iterable[PreparedRow]) -> None:
    index: dict[str, Any] = {"format": FORMAT, "rows": [], "findings": []}
    offset = 0
    for row in rows:  # outside of `try`: an OSError while reading audio is not the cache's
        try:
            with (building / AUDIO_FILE).open("ab") as file:
                for signal in row.signals:
                    for block in blocks(signal):
                        file.write(np.ascontiguousarray(block, dtype="<f4").data)
        except OSError as error:
            raise CacheError.from_os(root, error) from error
        length = len(row.input)
        index["rows"].append(
            {
                "name": row.name,
                "offset": offset,
                "length": length,
                "controls": [float(position) for position in row.controls],
                "regions": row.regions,
                "idle": list(row.idle),
                "signals": len(row.signals),
                "spread": list(row.spread),
            }
        )
        index["findings"] += [finding.to_dict() for finding in row.findings]
        offset += len(row.signals) * length
    try:
        index["crc32"] = _checksum(building / AUDIO_FILE)
        (building / INDEX_FILE).write_text(json.dumps(index), encoding="utf-8")
    except OSError as error:
        raise CacheError.from_os(root, error) from error


def _move_into_place(building: Path, root: Path, key: str) -> None:
    place = root / key
    for _ in range(3):
        try:
            building.rename(place)
            return
        except OSError as error:
            if not place.exists():
                raise CacheError.from_os(root, error) from error
        if open_store(root, key) is not None:
            return  # another process was faster; its store holds the same
        aside = root / f"{DAMAGED}{uuid.uuid4().hex}"
        try:
            place.rename(aside)
        except FileNotFoundError:
            continue  # another process moved it aside
        except OSError as error:
            raise CacheError.from_os(root, error) from error
        shutil.rmtree(aside, ignore_errors=True)
    raise CacheError.from_os(root, OSError("another process keeps replacing the same entry"))


def _checksum(path: Path) -> int:
    checksum = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            checksum = zlib.crc32(chunk, checksum)
    return checksum
