"""A transport whose spectrum is known: an Ornstein-Uhlenbeck wow, three lines, and a clock that is off."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from tapezoo.data.align.trajectory import DelayTrajectory

RATE_HZ = 44100
LINES = ((2.7, 4e-4), (8.1, 5e-4), (16.2, 1.5e-4))  # Hz, peak deviation of the speed
WOW, MEMORY_S = 4e-4, 0.6
OFF = 2e-5


def wow_density(hertz):
    """Of the speed, 1/Hz: the process, at 100 points per second."""
    kept = np.exp(-0.01 / MEMORY_S)
    return 2 * 0.01 * WOW**2 * (1 - kept**2) / np.abs(1 - kept * np.exp(-2j * np.pi * 0.01 * hertz)) ** 2


def recorded(seconds, seed, lines=LINES, wow=WOW):
    """A delay of .16 s that wanders, as a recording has it."""
    random = np.random.default_rng(seed)
    time_s = np.arange(round(100 * seconds)) / 100
    kept = np.exp(-0.01 / MEMORY_S)
    noise = wow * np.sqrt(1 - kept**2) * random.standard_normal(len(time_s) + 1000)
    speed = OFF + lfilter([1], [1, -kept], noise)[1000:]
    for hertz, peak in lines:
        speed += peak * np.sin(2 * np.pi * (hertz * time_s + random.random()))
    delay = 0.16 - np.cumsum(speed) / 100
    return DelayTrajectory(time_s, delay * RATE_HZ, np.ones(len(delay)), RATE_HZ)
