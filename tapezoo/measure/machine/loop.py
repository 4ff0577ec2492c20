"""The hysteresis loop: output over input for one period of a sine, and its area."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapezoo.measure.machine.distortion import SILENT_DB
from tapezoo.measure.machine.machine import Machine, Real

FREQUENCY_HZ = 100.0
LEVELS_DB = (-24.0, -12.0, -6.0, 0.0)
SETTLE_PERIODS = 30
FINENESS = 4096  # points from the lowest input to the highest
LEAST = 10 ** (SILENT_DB / 20)  # height of a loop: what is less is none


@dataclass(frozen=True)
class Loops:
    """One period at each level.

    Args:
        frequency_hz: Of the sine, Hz: whole samples per period.
        level_db: (levels,), peaks of the input, dB re full scale.
        input: (levels, samples).
        output: As `input`.
        area: (levels,), between the way up and the way down over that of the rectangle around both: 0 for a line, pi/4
            for a phase shift of a quarter of a period. Where the ways cross, both parts count. NaN where nothing
            came out.
    """

    frequency_hz: float
    level_db: Real
    input: NDArray[np.float64]
    output: NDArray[np.float64]
    area: Real


def measure_loops(machine: Machine, levels_db: Sequence[float] = LEVELS_DB) -> Loops:
    """Plays a sine of about 100 Hz at every level and keeps the last period.

    Args:
        machine: To measure.
        levels_db: Peaks, dB re full scale.
    """
    period = round(machine.sample_rate / FREQUENCY_HZ)
    levels = np.asarray(levels_db, np.float64)
    peaks, pitch, samples = 10 ** (levels[:, None] / 20), 2 * np.pi / period, (SETTLE_PERIODS + 1) * period
    output = machine.play_on(lambda time: peaks * np.sin(pitch * time), samples)[:, -period:]
    input = peaks * np.sin(pitch * np.arange(samples - period, samples))
    between = np.array([_between(x, y) for x, y in zip(input, output, strict=True)])
    height = np.ptp(output, axis=1)
    area = between / (np.ptp(input, axis=1) * np.where(height > LEAST, height, np.nan))
    return Loops(machine.sample_rate / period, levels, input, output, area)


def _between(input: Real, output: Real) -> float:
    """Area between the two ways from the lowest to the highest input."""
    lowest, highest = int(input.argmin()), int(input.argmax())
    places = [np.arange(lowest, highest + 1), np.arange(highest, lowest + len(input) + 1)[::-1] % len(input)]
    if lowest > highest:
        places = [
            np.arange(lowest, highest + len(input) + 1) % len(input),
            np.arange(highest, lowest + 1)[::-1],
        ]
    grid = np.linspace(input[lowest], input[highest], FINENESS)
    up, down = (np.interp(grid, input[place], output[place]) for place in places)
    return float(np.abs(up - down).mean() * np.ptp(input))
