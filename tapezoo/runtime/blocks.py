"""What a block of audio may be: floating point, one row per channel, finite."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tapezoo.bundle.play import Audio
from tapezoo.runtime.errors import NoSignalError

FEW_CHANNELS = 8  # with more channels than samples, the two axes are probably swapped
LOUD = 1e4  # mean power of 40 dB over full scale: unscaled integers
WHOLE_BELOW = 2.0**31  # what 32 bit hold
SCALES = "divide by 2**15 (16 bit), 2**23 (24 bit) or 2**31 (32 bit)"


def as_rows(block: Any, name: str = "a block", loud: float = LOUD) -> Audio:
    """The block as (channels, samples), float32.

    Args:
        block: Full scale is +-1; finite, floating point. Rows are channels.
        name: What it is called.
        loud: Mean power above which whole numbers are taken for unscaled integers.

    Raises:
        NoSignalError: Integers, numbers that were integers and not scaled, or other things; another shape; NaN or
            infinity.
    """
    try:
        given = np.asarray(block)
    except (TypeError, ValueError) as error:
        raise NoSignalError(
            f"{name} that is not an array of numbers ({error})", "give one row per channel"
        ) from error
    if given.dtype.kind in "iu":
        raise NoSignalError(f"{name} of {given.dtype}", f"audio is floating point, full scale +-1; {SCALES}")
    if given.dtype.kind != "f":
        raise NoSignalError(
            f"{name} of {given.dtype}", "audio is floating point, such as float32, full scale +-1"
        )
    if given.ndim not in (1, 2):
        raise NoSignalError(
            f"{name} of shape {given.shape}", "a block must be (samples,) or (channels, samples)"
        )
    rows = given
    if given.dtype != np.float32:
        with np.errstate(over="ignore"):  # a double too large for a float is reported below
            rows = given.astype(np.float32)
    rows = rows.reshape(1, -1) if rows.ndim == 1 else rows
    power = float(np.vdot(rows, rows))
    if not math.isfinite(power) and not np.isfinite(rows).all():
        raise NoSignalError(f"{name} of shape {given.shape} with NaN or infinity in it", "audio is finite")
    if power > loud * rows.size and _were_integers(rows):
        raise NoSignalError(
            f"{name} of whole numbers up to {np.abs(rows).max():.0f}", f"full scale is +-1; {SCALES}"
        )
    return rows


def check_layout(rows: Audio, name: str = "a block") -> None:
    """Refuses what has more channels than samples, unless they are few; for the first block of a signal.

    Raises:
        NoSignalError: It has.
    """
    channels, samples = rows.shape
    if channels > max(FEW_CHANNELS, samples) and samples:
        raise NoSignalError(
            f"{name} of {channels} channels with {samples} samples each",
            "rows are channels: pass the transpose (block.T) of (samples, channels), which is how soundfile reads; "
            f"more than {FEW_CHANNELS} channels begin with a block of at least as many samples",
        )


def is_finite(rows: Audio) -> bool:
    """Whether all values are finite, told from the sum of squares: one NaN or infinity spoils it, and it is cheaper."""
    return math.isfinite(np.vdot(rows, rows)) or bool(np.isfinite(rows).all())


def _were_integers(rows: Audio) -> bool:
    return bool(np.abs(rows).max() <= WHOLE_BELOW) and bool((rows == np.rint(rows)).all())
