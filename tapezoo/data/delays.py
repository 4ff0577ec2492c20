"""One channel of dry and wet, cut and read as the recipe wants their delay: kept, removed, or given to the model."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tapezoo.data.batch import LEAST_DELAY_SAMPLES
from tapezoo.data.errors import CacheError
from tapezoo.data.streams import BLOCK_SAMPLES, LARGE_SAMPLES, release
from tapezoo.devices.transport import read_delayed

DelayMode = Literal["keep", "remove", "give"]
"""What becomes of a delay that wanders: only its constant part is taken off; dry is warped along it; or the model is
told it."""
SIGNALS: dict[DelayMode, int] = {"keep": 2, "remove": 3, "give": 4}
"""How many signals a row has at most."""
Signal = NDArray[np.float32]
Delay = Callable[[int, int], NDArray[np.float64]]
"""(start, stop) -> the whole delay at these samples of wet, in samples."""

SINC_REACH_SAMPLES = 32  # no interpolation here reads further around a sample


@dataclass(frozen=True)
class Aligned:
    """What a row of a data set is made of.

    Args:
        input: See `PreparedRow`.
        target: See `PreparedRow`.
        taken_samples: Number of samples cut off the front of dry.
        steady_input: See `PreparedRow`.
        delay: See `PreparedRow`.
    """

    input: Signal
    target: Signal
    taken_samples: int
    steady_input: Signal | None = None
    delay: Signal | None = None


def keep_delay(dry: Signal, wet: Signal, constant_samples: int) -> Aligned:
    """Both without a constant delay and cut to one length.

    Shape:
        dry, wet: (samples,), of any two lengths.
    """
    taken, late = max(0, -constant_samples), max(0, constant_samples)
    length = max(0, min(len(dry) - taken, len(wet) - late))
    return Aligned(dry[taken : taken + length], wet[late : late + length], taken)


def remove_fraction(
    dry: Signal, wet: Signal, constant_samples: int, fraction_samples: float, scratch: Path | None
) -> Aligned:
    """As `keep_delay`, and dry is resampled so that the fraction of a sample is taken off too."""
    cut = keep_delay(dry, wet, constant_samples)
    late, length = max(0, constant_samples), len(cut.target)

    def delay(start: int, stop: int) -> NDArray[np.float64]:
        return np.full(stop - start, constant_samples + fraction_samples)

    return Aligned(read_along(dry, delay, late, length, scratch), cut.target, cut.taken_samples)


def remove_delay(
    dry: Signal, wet: Signal, constant_samples: int, delay: Delay, scratch: Path | None
) -> Aligned:
    """Dry is read along the delay of wet, whose samples stay untouched.

    Args:
        dry: What went into the machine.
        wet: What came out.
        constant_samples: What is taken off where the delay is kept.
        delay: Of wet against dry; the time of wet.
        scratch: Folder for signals too long for memory; None: all are short.

    Shape:
        dry, wet: (samples,), of any two lengths.
    """
    cut = keep_delay(dry, wet, constant_samples)
    late = max(0, constant_samples)
    length = _heard_length(dry, delay, late, len(cut.target))
    input = read_along(dry, delay, late, length, scratch)
    return Aligned(input, cut.target[:length], cut.taken_samples, cut.input[:length])


def give_delay(dry: Signal, wet: Signal, delay: Delay, scratch: Path | None) -> Aligned:
    """As `remove_delay`, and the delay itself, less a constant that leaves `LEAST_DELAY_SAMPLES` everywhere."""
    least = min(
        float(delay(start, min(start + BLOCK_SAMPLES, len(wet))).min())
        for start in range(0, len(wet), BLOCK_SAMPLES)
    )
    constant = math.floor(least) - LEAST_DELAY_SAMPLES
    removed = remove_delay(dry, wet, constant, delay, scratch)
    late, length = max(0, constant), len(removed.target)

    def given(start: int, stop: int) -> Signal:
        return (delay(late + start, late + stop) - constant).astype(np.float32)

    return Aligned(
        removed.input,
        removed.target,
        removed.taken_samples,
        removed.steady_input,
        _assemble(given, length, scratch),
    )


def _heard_length(dry: Signal, delay: Delay, first: int, length: int) -> int:
    """How many of `length` samples of wet answer samples that dry has."""
    if length == 0:
        return 0
    last = first + length - 1
    position = last - float(delay(last, last + 1)[0])
    return max(0, length - max(0, math.ceil(position + LEAST_DELAY_SAMPLES - (len(dry) - 1))))


def read_along(dry: Signal, delay: Delay, first: int, length: int, scratch: Path | None) -> Signal:
    """Dry at `n - delay(n)` for `length` samples of wet from `first` on; silence outside of it."""

    def block(start: int, stop: int) -> Signal:
        numbers = np.arange(first + start, first + stop)
        position = numbers - delay(first + start, first + stop)
        low = max(0, math.floor(float(position.min())) - SINC_REACH_SAMPLES)
        high = min(len(dry), math.ceil(float(position.max())) + SINC_REACH_SAMPLES)
        if high <= low:
            return np.zeros(stop - start, dtype=np.float32)
        around = np.asarray(dry[low:high], dtype=np.float64)
        release(dry)
        return read_delayed(around, np.arange(stop - start) - (position - low)).astype(np.float32)

    return _assemble(block, length, scratch)


def _assemble(block: Callable[[int, int], Signal], length: int, scratch: Path | None) -> Signal:
    """(length,) made block by block: in memory, or as a memory map where it is long."""
    parts = [
        (start, min(start + BLOCK_SAMPLES, length)) for start in range(0, length, BLOCK_SAMPLES)
    ]  # as `streams.blocks`
    if length <= LARGE_SAMPLES or scratch is None:
        made: list[Any] = [block(*part) for part in parts]
        return np.concatenate(made) if made else np.zeros(0, dtype=np.float32)
    path = scratch / f"{len(list(scratch.iterdir()))}.f32"
    try:
        with path.open("wb") as raw:
            for part in parts:
                raw.write(np.ascontiguousarray(block(*part), dtype="<f4").data)
    except OSError as error:
        raise CacheError.from_os(scratch, error) from error
    return np.memmap(path, dtype="<f4", mode="r", shape=(length,))
