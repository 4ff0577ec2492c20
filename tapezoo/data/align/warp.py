"""Dry read along a delay that changes over time, by band-limited interpolation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapezoo.data.align.trajectory import DelayTrajectory
from tapezoo.data.streams import BLOCK_SAMPLES, release
from tapezoo.devices.transport import read_delayed

_REACH = 32  # samples of dry on either side of what is read: more than the interpolation takes


def warp(dry: NDArray[np.floating[Any]], trajectory: DelayTrajectory, samples: int) -> NDArray[np.float32]:
    """`dry` at `n - delay(n)` for the first `samples` samples n of wet; silence outside of dry.

    The samples of wet stay as they are: its noise and its level are the machine's. Read in blocks: beside the result
    it takes the memory of one.

    Shape:
        dry: (samples of dry,); returns: (samples,).
    """
    warped = np.empty(samples, dtype=np.float32)
    for start in range(0, samples, BLOCK_SAMPLES):
        stop = min(start + BLOCK_SAMPLES, samples)
        warped[start:stop] = warp_block(dry, trajectory, start, stop)
        release(dry)
    return warped


def warp_block(
    dry: NDArray[np.floating[Any]], trajectory: DelayTrajectory, start: int, stop: int
) -> NDArray[np.float64]:
    """What `warp` gives for the samples `start` to `stop` of wet.

    Shape:
        dry: (samples of dry,); returns: (stop - start,).
    """
    delay = trajectory.at(start, stop)
    position = np.arange(start, stop) - delay
    low = max(0, int(np.floor(position.min())) - _REACH)
    high = max(low, min(len(dry), int(np.ceil(position.max())) + _REACH))
    if high == low:
        return np.zeros(stop - start)
    # the part's sample 0 is dry's sample `low`, the block's is wet's sample `start`
    return read_delayed(np.asarray(dry[low:high], dtype=np.float64), delay - (start - low))
