"""Long recordings in constant memory: decoded once into a file, read as slices of its memory map."""

from __future__ import annotations

import mmap
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapezoo.data.audio import (
    SILENCE_PEAK,
    Audio,
    check_finite,
    check_not_silent,
    read_audio,
    read_blocks,
    read_header,
)
from tapezoo.data.errors import CacheError

BLOCK_SAMPLES = 1 << 20  # of a pass over a recording: 4 MB
LARGE_SAMPLES = 1 << 24  # of all channels: a smaller file is decoded into memory, 64 MiB at most


def read_signal(path: Path, scratch: Path) -> Audio:
    """`read_audio` for files of any length: one of more than 2^24 samples becomes a memory map.

    Args:
        path: The sound file.
        scratch: Folder for the decoded samples; the map is good for as long as it exists.

    Shape:
        returns: (channels, samples).

    Raises:
        TapezooError: As `read_audio`.
    """
    header = read_header(path)
    if header.frames * header.channels <= LARGE_SAMPLES:
        return read_audio(path)
    decoded = scratch / f"{len(list(scratch.iterdir()))}.f32"
    try:
        with decoded.open("wb") as raw:
            for block in read_blocks(path, BLOCK_SAMPLES // header.channels):
                raw.write(np.ascontiguousarray(block, dtype="<f4").data)
    except OSError as error:
        raise CacheError.from_os(scratch, error) from error
    audio: Audio = np.memmap(decoded, dtype="<f4", mode="r", shape=(header.frames, header.channels)).T
    _check(path, audio, header.sample_rate)
    return audio


def blocks(samples: NDArray[Any], block_samples: int = BLOCK_SAMPLES) -> Iterator[NDArray[Any]]:
    """Consecutive slices of the last axis; memory that a map took for one is free again before the next.

    Args:
        samples: (..., samples).
        block_samples: Of a slice; the last one may be shorter.
    """
    for start in range(0, samples.shape[-1], block_samples):
        yield samples[..., start : start + block_samples]
        release(samples)


def release(samples: NDArray[Any]) -> None:
    """Releases the pages of a read-only memory map; the system may keep them cached."""
    mapped = getattr(samples, "_mmap", None)
    if mapped is not None and sys.platform == "linux":
        mapped.madvise(mmap.MADV_DONTNEED)


def energy(samples: NDArray[Any]) -> float:
    """Sum of squares, in double precision."""
    return sum(float(np.sum(np.square(block, dtype=np.float64))) for block in blocks(samples))


def deviation(samples: NDArray[Any]) -> tuple[float, float]:
    """Mean and standard deviation, in double precision.

    Args:
        samples: (samples,).
    """
    mean = sum(float(np.sum(block, dtype=np.float64)) for block in blocks(samples)) / samples.size
    spread = sum(float(np.sum(np.square(block.astype(np.float64) - mean))) for block in blocks(samples))
    return mean, float(np.sqrt(spread / samples.size))


def extremes(samples: NDArray[Any]) -> tuple[float, float]:
    """Lowest and highest value."""
    found = [(float(block.min()), float(block.max())) for block in blocks(samples)]
    return min(low for low, _ in found), max(high for _, high in found)


def _check(path: Path, audio: Audio, sample_rate: int) -> None:
    # checks of a whole file need several times its memory: they run only where the file is refused anyway
    if not all(np.isfinite(block).all() for block in blocks(audio)):
        check_finite(path, audio, sample_rate)
    for channel in audio:
        mean, _ = deviation(channel)
        low, high = extremes(channel)
        if max(high - mean, mean - low) < 2 * SILENCE_PEAK:
            check_not_silent(path, audio)
