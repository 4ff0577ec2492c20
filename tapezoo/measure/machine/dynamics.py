"""Attack and release: how fast the gain follows a tone that becomes loud and quiet again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tapezoo.measure.machine.distortion import SILENT_DB
from tapezoo.measure.machine.machine import Machine, Real

TONE_HZ, QUIET_DB, LOUD_DB = 1000.0, -30.0, -6.0
QUIET_S, LOUD_S, AFTER_S = 1.0, 2.0, 4.0
DONE = 1 - np.exp(-1)  # of the change, in dB: one time constant
LEAST_DB = 1.0  # of change, for it to have a time: after a loud tone tape is half a dB off for a moment
SMOOTH_PERIODS = 2
SETTLE_MS = (
    3.0  # after a step, in which filters ring; what is left of an exponential still has its time constant
)


@dataclass(frozen=True)
class Dynamics:
    """The gain before, during and after a loud tone.

    Args:
        time_s: (points,), s; 0 is where the tone becomes loud.
        gain_db: (points,), output over input, dB, smoothed over two periods.
        quiet_gain_db: Before it, dB; NaN where nothing comes out.
        loud_gain_db: At its end, dB; NaN likewise.
        attack_ms: In which 63 % of the change are done that is left 3 ms after the step, ms; NaN: less than one dB
            is left.
        release_ms: The same from the end of the loud tone on.
    """

    time_s: Real
    gain_db: Real
    quiet_gain_db: float
    loud_gain_db: float
    attack_ms: float
    release_ms: float


def measure_dynamics(machine: Machine) -> Dynamics:
    """Plays 1 kHz at -30, -6 and -30 dB.

    Args:
        machine: To measure.
    """
    rate = machine.sample_rate
    period = round(rate / TONE_HZ)
    lengths = [round(seconds * TONE_HZ) * period for seconds in (QUIET_S, LOUD_S, AFTER_S)]
    peak = np.repeat(10 ** (np.array([QUIET_DB, LOUD_DB, QUIET_DB]) / 20), lengths)
    tone = peak * np.sin(2 * np.pi * np.arange(sum(lengths)) / period)
    smooth = SMOOTH_PERIODS * period
    levels = [_level_db(signal, period, smooth) for signal in (tone, machine.play_one(tone))]
    gain = levels[1] - levels[0]
    up, down = lengths[0], lengths[0] + lengths[1]
    # a window that reaches over a step mixes both levels
    before, loud, after = (
        gain[: up - smooth + 1],
        gain[up : down - smooth + 1],
        gain[down : len(tone) - smooth + 1],
    )
    middle = (np.arange(len(gain)) + smooth / 2 - up) / rate
    return Dynamics(
        middle,
        gain,
        _gain_db(before[-period:], QUIET_DB),
        _gain_db(loud[-period:], LOUD_DB),
        _time_ms(loud, period, rate),
        _time_ms(after, period, rate),
    )


def _gain_db(gain: Real, input_db: float) -> float:
    mean = float(gain.mean())
    return mean if mean + input_db > SILENT_DB else float("nan")


def _level_db(signal: Real, period: int, smooth: int) -> Real:
    """Level of the tone in every window of `smooth` samples."""
    wave = signal * np.exp(-2j * np.pi * np.arange(len(signal)) / period)
    total = np.concatenate([[0], np.cumsum(wave)])
    level: Real = 20 * np.log10(np.maximum(2 * np.abs(total[smooth:] - total[:-smooth]) / smooth, 1e-10))
    return level


def _time_ms(gain_db: Real, period: int, rate: int) -> float:
    gain_db = gain_db[round(SETTLE_MS / 1e3 * rate) :]
    first, last = float(gain_db[0]), float(gain_db[-period:].mean())
    if abs(last - first) < LEAST_DB:
        return float("nan")
    done = (gain_db - first) / (last - first)
    return 1e3 * float(np.argmax(done >= DONE)) / rate
