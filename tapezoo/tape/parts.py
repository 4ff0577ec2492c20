"""Wow and flutter: the two parts of a take."""

from __future__ import annotations

import numpy as np

from tapezoo.tape.stretches import POINTS_PER_S, Real

SLOW_HZ = 6.0  # where wow ends and flutter begins (AES6)


def wow_and_flutter(delay: Real) -> tuple[Real, Real]:
    """What lies under 6 Hz of a take that begins anew where it ends, and the rest of it; their sum is the take.

    Shape:
        delay: (points,), 100 per second, in any unit; returns: likewise, both.
    """
    spectrum = np.fft.rfft(delay)
    spectrum[np.fft.rfftfreq(len(delay), 1 / POINTS_PER_S) >= SLOW_HZ] = 0
    wow: Real = np.fft.irfft(spectrum, len(delay))
    return wow, delay - wow
