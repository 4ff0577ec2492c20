"""Powers in third octaves, from the power in bins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def third_octaves(power: Values, frequency_hz: Values, lowest: int, highest: int) -> tuple[Values, Values]:
    """Sums the bins of each band that lies under the last bin's frequency.

    Args:
        power: (bins,), of each bin.
        frequency_hz: (bins,), ascending, Hz.
        lowest: Number of the first band; band n is around 1 kHz times 10^(n / 10) (IEC 61260-1).
        highest: Number of the last one.

    Returns:
        middle_hz: (bands,), Hz.
        band_power: (bands,).
    """
    numbers = np.arange(lowest, highest + 1)
    low, high = (1000 * 10 ** ((numbers + side) / 10) for side in (-0.5, 0.5))
    inside = high <= frequency_hz[-1]
    sums = [
        float(power[(frequency_hz >= first) & (frequency_hz < last)].sum())
        for first, last in zip(low[inside], high[inside], strict=True)
    ]
    return 1000 * 10 ** (numbers[inside] / 10), np.asarray(sums, np.float64)
