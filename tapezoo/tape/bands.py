"""Wow and flutter are two bands of one delay; here is where they part."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]
SLOW_HZ = 6.0  # where wow ends and flutter begins (AES6)


def split_bands(delay: Real, points_per_s: float) -> Real:
    """Wow and flutter of a delay that is a loop, (2, points), each around 0; without the mean, they add up to it.

    Args:
        delay: (points,), in any unit; its end joins its beginning.
        points_per_s: How many there are per second.
    """
    spectrum = np.fft.rfft(delay)
    spectrum[0] = 0
    is_slow = np.fft.rfftfreq(len(delay), 1 / points_per_s) < SLOW_HZ
    return np.stack([np.fft.irfft(spectrum * band, len(delay)) for band in (is_slow, ~is_slow)])
