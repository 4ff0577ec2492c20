"""Harmonics of a sine against its level: how a machine distorts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapezoo.measure.playing import play
from tapezoo.measure.spectrum import harmonic_levels_db
from tapezoo.net import Net

SETTLE_PERIODS, MEASURED_PERIODS = 30, 10
HARMONICS = 5


@dataclass(frozen=True)
class HarmonicLevels:
    """Levels of the first harmonics over the level of the input, dB re full scale.

    Args:
        input_db: (levels,), peaks of the sine.
        output_db: (levels, harmonics), of the net, the fundamental first.
        target_db: The same of the machine; None: it cannot be played.
    """

    input_db: NDArray[np.float64]
    output_db: NDArray[np.float64]
    target_db: NDArray[np.float64] | None


def harmonics_by_level(
    net: Net,
    sample_rate: int,
    controls: Sequence[float],
    *,
    frequency_hz: float,
    levels_db: Sequence[float],
    machine: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None = None,
) -> HarmonicLevels:
    """Plays a sine at every level, one row of the batch each, and measures its last ten periods.

    Args:
        net: The effect; its latency is taken out.
        sample_rate: Of the net, Hz.
        controls: One position 0..1 per control.
        frequency_hz: Of the sine, Hz.
        levels_db: Peaks, dB relative to full scale.
        machine: What the net was trained on, (samples,) to (samples,), where it can be asked.
    """
    period = sample_rate / frequency_hz
    samples, measured = (
        round(count * period) for count in (SETTLE_PERIODS + MEASURED_PERIODS, MEASURED_PERIODS)
    )
    peaks = 10 ** (np.asarray(levels_db, dtype=np.float64) / 20)
    sines = peaks[:, None] * np.sin(2 * np.pi * frequency_hz / sample_rate * np.arange(samples))

    def levels(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack(
            [harmonic_levels_db(row[-measured:], frequency_hz, sample_rate)[:HARMONICS] for row in rows]
        )

    target = None
    if machine is not None:
        target = levels(np.stack([machine(sine.astype(np.float32)) for sine in sines]).astype(np.float64))
    return HarmonicLevels(np.asarray(levels_db, np.float64), levels(play(net, sines, controls)), target)
