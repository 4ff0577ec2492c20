"""Dry read along a delay that changes over time, by band-limited interpolation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapezoo.data.align.trajectory import DelayTrajectory
from tapezoo.devices.transport import read_delayed


def warp(dry: NDArray[np.floating[Any]], trajectory: DelayTrajectory, samples: int) -> NDArray[np.float32]:
    """`dry` at `n - delay(n)` for the first `samples` samples n of wet; silence outside of dry.

    The samples of wet stay as they are: its noise and its level are the machine's.

    Shape:
        dry: (samples of dry,); returns: (samples,).
    """
    signal = np.asarray(dry, dtype=np.float64)
    return read_delayed(signal, trajectory.at(0, samples)).astype(np.float32)
