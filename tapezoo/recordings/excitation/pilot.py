"""The pilot in the second channel: a signal that shows the delay at any time, whatever the first channel plays.

Both kinds are so weak or so rare that their crosstalk into the first channel of a tape machine (some -45 dB) lies
below its hiss or near it, and neither keeps step with the mains at 50 or 60 Hz.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]

PULSES_PER_SECOND = 98.56  # the nearest whole period in samples
PULSE_LEVEL_DB = -12.0  # peak
PULSE_BAND_HZ = 9000.0  # tape machines lose more
PULSE_REACH_S = 5e-4  # to each side
TONE_HZ = 5003.0
TONE_LEVEL_DB = -24.0


def pulse_period(sample_rate: int) -> int:
    """From pulse to pulse, in samples."""
    return round(sample_rate / PULSES_PER_SECOND)


def pulses(start: int, stop: int, first: int, last: int, sample_rate: int) -> Real:
    """A stretch of the train of band-limited pulses whose first peak is at `first` and whose last is before `last`.

    Shape:
        returns: (stop - start,).
    """
    reach = round(PULSE_REACH_S * sample_rate)
    offset = np.arange(-reach, reach + 1)
    shape = np.sinc(2 * PULSE_BAND_HZ / sample_rate * offset) * np.hanning(2 * reach + 3)[1:-1]
    period = pulse_period(sample_rate)
    padded = np.zeros(stop - start + 4 * reach)
    low = max(0, -(-(start - reach - first) // period))
    for peak in range(first + low * period, min(stop + reach, last), period):
        place = peak - start + reach
        padded[place : place + len(shape)] += shape
    return 10 ** (PULSE_LEVEL_DB / 20) * padded[2 * reach : 2 * reach + stop - start]


def tone(start: int, stop: int, first: int, last: int, sample_rate: int) -> Real:
    """A stretch of the sine of 5003 Hz that sounds from `first` to `last`, risen and fallen in 5 ms.

    Shape:
        returns: (stop - start,).
    """
    place = np.arange(start, stop)
    ramp = 0.005 * sample_rate
    inside = np.clip(np.minimum(place - first, last - place) / ramp, 0, 1)
    envelope = 0.5 - 0.5 * np.cos(np.pi * inside)
    sine = np.sin(2 * np.pi * TONE_HZ / sample_rate * (place - first))
    return np.asarray(10 ** (TONE_LEVEL_DB / 20) * envelope * sine)
