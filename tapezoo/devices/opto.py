"""An optical attenuator: how the reduction of a compressor follows the light in its side chain.

The attenuator of an optical compressor is a photoresistor lit by a luminescent panel. Its release has two stages:
a quick one, then a tail of up to several seconds whose share grows with the duration and brightness of the light
(Universal Audio, LA-610 Mk II manual, on the T4 cell: 40 to 80 ms, then seconds). In a photoconductor the
tail is charge in traps that fill and empty at rates of their own (Rose, "Concepts in photoconductivity and
allied problems", 1963). Here two traps extend the branching log-domain detector of Giannoulis, Massberg and
Reiss, "Digital dynamic range compressor design - a tutorial and analysis", JAES 60, 2012. With c the reduction
demanded, e the light, m_i the filling of trap i and r the actual reduction, all in dB:

    e = c where c > e, else de/dt = -e / AFTERGLOW_S
    dm_i/dt = (e - m_i) / TRAP_TIMES_S[i]
    target = c + sum_i TRAP_SHARES[i] max(m_i - c, 0)
    dr/dt = (target - r) / attack    where target > r, else (target - r) / release

The afterglow makes the traps follow the peaks of a wave, not its mean. A rested cell under a constant c has
m_i <= c, so its attack is the paper's, r = c (1 - exp(-t / attack)). A cell lit for T s holds
m_i = c (1 - exp(-T / TRAP_TIMES_S[i])) when the light goes out. After a short burst, r decays as exp(-t / release);
after many seconds of light the traps hold half of r, and only the other half decays at that rate. In the dark, every
part of r is an exponential of release, AFTERGLOW_S or TRAP_TIMES_S, so no tail is slower than 2 s or the release,
whichever is longer. Under a constant c, r settles at c. A larger c never gives a smaller r, because the shares add
up to less than 1.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tapezoo.compiled import compiled

AFTERGLOW_S = 0.01
TRAP_SHARES = (0.25, 0.25)
TRAP_TIMES_S = (0.2, 2.0)


class Cell(NamedTuple):
    """State of the attenuator, all in dB: the actual reduction, the light, and the filling of the traps."""

    reduction_db: float
    light_db: float
    quick_trap_db: float
    slow_trap_db: float


RESTED = Cell(0.0, 0.0, 0.0, 0.0)


class _Steps(NamedTuple):
    attack: float
    release: float
    afterglow: float
    quick: float
    slow: float


def follow(
    wanted_db: NDArray[np.float64], state: Cell, attack_s: float, release_s: float, rate_hz: float
) -> tuple[NDArray[np.float64], Cell]:
    """The cell's actual reduction for the reduction demanded, and its state afterwards.

    Each equation advances by its exact exponential over one sample, with the others held constant.

    Args:
        wanted_db: c, 0 or more.
        state: State after the previous call; `RESTED` for a cell that has been dark for long.
        attack_s: Time constant of a growing reduction, in s.
        release_s: Time constant of the quick stage of the release, in s.
        rate_hz: Samples per second of `wanted_db`.

    Shape:
        wanted_db (samples,) -> (samples,).
    """
    times_s = (attack_s, release_s, AFTERGLOW_S, *TRAP_TIMES_S)
    steps = _Steps(*(-math.expm1(-1.0 / (time_s * rate_hz)) for time_s in times_s))
    reduction, *cell = _follow(wanted_db, *state, steps, *TRAP_SHARES)
    return reduction, Cell(*cell)


@compiled
def _follow(
    wanted: NDArray[np.float64],
    r: float,
    light: float,
    quick: float,
    slow: float,
    steps: _Steps,
    quick_share: float,
    slow_share: float,
) -> tuple[NDArray[np.float64], float, float, float, float]:
    reduction = np.empty_like(wanted)
    for n in range(wanted.size):
        c = wanted[n]
        light = max(c, light - steps.afterglow * light)
        quick += steps.quick * (light - quick)
        slow += steps.slow * (light - slow)
        target = c + quick_share * max(quick - c, 0.0) + slow_share * max(slow - c, 0.0)
        r += (steps.attack if target > r else steps.release) * (target - r)
        reduction[n] = r
    return reduction, r, light, quick, slow
