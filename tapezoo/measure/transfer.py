"""The transfer curve: what comes out of a machine over what goes in, at steady state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapezoo.measure.playing import play
from tapezoo.net import Net


@dataclass(frozen=True)
class TransferLoop:
    """One level's steady state, whole periods of a sine."""

    level_db: float  # peak of the sine, dB relative to full scale
    input: NDArray[np.float64]  # (samples,)
    output: NDArray[np.float64]
    target: NDArray[np.float64] | None = None


def transfer_loops(
    net: Net,
    sample_rate: int,
    controls: Sequence[float],
    *,
    frequency_hz: float = 100.0,
    levels_db: Sequence[float] = (-24.0, -12.0, -6.0, 0.0),
    settle_periods: int = 20,
    machine: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None = None,
) -> list[TransferLoop]:
    """Plays a sine at several levels, one row of the batch each, and keeps the last period.

    A memoryless net gives a line, one with a memory a loop: the hysteresis of tape, or any phase shift.

    Args:
        net: The effect; its latency is taken out.
        sample_rate: Of the net, Hz.
        controls: One position 0..1 per control.
        frequency_hz: Of the sine, Hz.
        levels_db: Peaks, dB relative to full scale.
        settle_periods: Periods played before the one that is kept.
        machine: What the net was trained on, (samples,) to (samples,), where it can be played.

    Returns:
        One loop per level, with targets where there is a machine.
    """
    period = round(sample_rate / frequency_hz)
    time_s = np.arange((settle_periods + 1) * period) / sample_rate
    peaks = 10 ** (np.asarray(levels_db, dtype=np.float64) / 20)
    sines = peaks[:, None] * np.sin(2 * np.pi * frequency_hz * time_s)
    output = play(net, sines, controls)
    loops = []
    for row, level in enumerate(levels_db):
        target = None
        if machine is not None:
            target = machine(sines[row].astype(np.float32))[-period:].astype(np.float64)
        loops.append(TransferLoop(float(level), sines[row, -period:], output[row, -period:], target))
    return loops
