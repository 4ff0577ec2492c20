"""The classical wow and flutter: a line that wavers, and a capstan with two harmonics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tapezoo.tape.bands import SLOW_HZ
from tapezoo.tape.spectral import SpectralTransport, fit_line, over_floor
from tapezoo.tape.stretches import POINTS_PER_S, Real, Stretch
from tapezoo.tape.synthesis import Line

WOW_HZ, FLUTTER_HZ = (0.3, SLOW_HZ), (SLOW_HZ, 15.0)  # where the two are sought
HARMONICS = 3
LAG_POINTS = 10  # .1 s, at which it is measured how long the friction remembers
BINS = 513


def learn_classical(stretches: Sequence[Stretch]) -> SpectralTransport:
    """One line and an Ornstein-Uhlenbeck process for wow, three harmonics for flutter.

    As Chowdhury's tape model has them ("Real-time physical modelling for analog tape machines", DAFx 2019, and what
    became of it): rates, depths, and how much and how long wow wavers. There they are set by hand; here they are
    measured.

    Args:
        stretches: One at least, see `tapezoo.tape.stretches.check_stretches`.
    """
    left = [stretch.speed for stretch in stretches]
    frequencies, over = over_floor(left)
    wow_hz = _strongest(frequencies, over, *WOW_HZ)
    harmonics = sum(np.interp(number * frequencies, frequencies, over) for number in range(1, HARMONICS + 1))
    flutter_hz = _strongest(frequencies, np.asarray(harmonics), *FLUTTER_HZ)
    lines = []
    for hertz in (wow_hz, *(number * flutter_hz for number in range(1, HARMONICS + 1))):
        found = [fit_line(speed, hertz) for speed in left]
        amplitudes = np.concatenate([amplitude for amplitude, _ in found])
        left = [without for _, without in found]
        lines.append(Line(hertz, float(np.sqrt(np.mean(np.square(amplitudes))))))
    longest = max(len(speed) for speed in left)
    grid = np.linspace(0, POINTS_PER_S / 2, BINS)
    return SpectralTransport(grid, _friction(left, grid), tuple(lines), POINTS_PER_S / longest)


def _strongest(frequencies: Real, over: Real, low_hz: float, high_hz: float) -> float:
    inside = (frequencies >= low_hz) & (frequencies < high_hz)
    return float(frequencies[inside][np.argmax(over[inside])])


def _friction(speeds: Sequence[Real], hertz: Real) -> Real:
    """Of an Ornstein-Uhlenbeck process with the variance and the memory of these, 1/Hz."""
    variance = float(np.mean(np.square(np.concatenate(speeds))))
    later = np.concatenate([speed[LAG_POINTS:] * speed[:-LAG_POINTS] for speed in speeds])
    kept = max(float(later.mean()) / variance, 1e-3) ** (1 / LAG_POINTS)
    turn = np.exp(-2j * np.pi * hertz / POINTS_PER_S)
    density: Real = 2 / POINTS_PER_S * variance * (1 - kept**2) / np.abs(1 - kept * turn) ** 2
    return density
