"""What a linear filter explains of wet, and where it fails: the floor, short losses of level, lines of the mains."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from tapezoo.data.audio import Audio
from tapezoo.data.least_squares import LINEAR_FLOOR_TAPS, LinearFilter, fir_esr, least_squares_fir
from tapezoo.recordings.scratch import BLOCK_SAMPLES

Real = NDArray[np.float64]


def fitted_filter(dry: Audio, wet: Audio) -> LinearFilter:
    """The causal filter of 257 taps, with an offset, that makes wet out of dry with the least squared error.

    Shape:
        dry, wet: (samples,).
    """
    return least_squares_fir([(dry, wet)])


def fitted_floor(dry: Audio, wet: Audio, filter: LinearFilter) -> float:
    """The ESR that the filter reaches on the recording it was fitted to.

    Shape:
        dry, wet: (samples,).
    """
    return fir_esr(filter, [(dry, wet)], min(LINEAR_FLOOR_TAPS, len(wet) // 2))


def predictions(
    dry: Audio, wet: Audio, filter: LinearFilter, block_samples: int = BLOCK_SAMPLES
) -> Iterator[tuple[Real, Real]]:
    """What the filter makes of dry, and wet, in blocks.

    Shape:
        dry, wet: (samples,).
    """
    for start in range(0, len(wet), block_samples):
        before = max(0, start - len(filter.taps) + 1)
        heard = dry[before : start + block_samples].astype(np.float64)
        predicted = scipy.signal.oaconvolve(heard, filter.taps)[start - before : len(heard)] + filter.offset
        yield predicted, wet[start : start + block_samples].astype(np.float64)
