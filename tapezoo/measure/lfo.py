"""Control paths that swing: low-frequency oscillators that move every control of a net."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapezoo.render.automation import ControlPath

# Simionato, Fasciani, "Hybrid neural audio effects", SMC 2024
SLOW_HZ = (0.05, 0.07, 0.09)


class ControlLfo(ControlPath):
    """Every control a sine of its own: `middle + depth sin(2 pi rate t + phase)`.

    Args:
        middle: (controls,), positions.
        depth: (controls,), half of the way from one end to the other; may be negative.
        rates_hz: (controls,), Hz.
        phases: (controls,), radians.
    """

    def __init__(
        self,
        middle: Sequence[float],
        depth: Sequence[float],
        rates_hz: Sequence[float],
        phases: Sequence[float],
    ) -> None:
        self.middle, self.depth = np.array(middle, dtype=float), np.array(depth, dtype=float)
        self.rates_hz, self.phases = np.array(rates_hz, dtype=float), np.array(phases, dtype=float)
        self.num_controls = len(self.middle)

    def at(self, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `ControlPath.at`."""
        angle = 2 * np.pi * self.rates_hz * time_s[:, None] + self.phases
        positions: NDArray[np.float64] = np.clip(self.middle + self.depth * np.sin(angle), 0.0, 1.0)
        return positions


def lfo_between(start: Sequence[float], end: Sequence[float], rate_hz: float) -> ControlLfo:
    """From `start` to `end` and back, sinusoidally, once per period of `rate_hz`."""
    one, other = np.array(start, dtype=float), np.array(end, dtype=float)
    count = len(one)
    return ControlLfo((one + other) / 2, (one - other) / 2, [rate_hz] * count, [np.pi / 2] * count)


def slow_lfo(num_controls: int) -> ControlLfo:
    """Each control from end to end at one of the three slow rates in turn, their phases spread over a period."""
    rates_hz = [SLOW_HZ[number % len(SLOW_HZ)] for number in range(num_controls)]
    # the first one begins at 0
    phases = [2 * np.pi * number / num_controls - np.pi / 2 for number in range(num_controls)]
    return ControlLfo([0.5] * num_controls, [0.5] * num_controls, rates_hz, phases)


@dataclass(frozen=True)
class LfoResult:
    """One sound played while all controls moved.

    Args:
        sound: Its name.
        path: Of the controls.
        finite: No NaN or infinity in the output.
        peak: Of the output, full scale is 1; NaN if it is not finite.
    """

    sound: str
    path: ControlLfo
    finite: bool
    peak: float


def measure_lfo(sound: str, path: ControlLfo, output: NDArray[np.float64]) -> LfoResult:
    """What can be measured on an output (samples,) without a ground truth."""
    finite = bool(np.isfinite(output).all())
    return LfoResult(sound, path, finite, float(np.abs(output).max()) if finite else float("nan"))
