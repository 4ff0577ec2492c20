"""A transport whose parts are known: what a way of making takes is tried on, and what the first recipe trains on.

The tape runs at v = 19.05 cm/s (7.5 ips). What turns once per second leaves a line at its rate, v / (pi d) for a
diameter d.

- Capstan, 7.5 mm: 8.1 Hz, and its second and third harmonic.
- Pinch roller, 22.5 mm: 2.7 Hz.
- Supply reel: .5 Hz at a radius of 6 cm, and faster as tape leaves it.
- Friction: Ornstein-Uhlenbeck noise (Uhlenbeck, Ornstein, "On the theory of the Brownian motion", Phys. Rev. 36,
  1930), which Chowdhury's tape model (DAFx 2019) takes for wow as well. Damped: what the tape does to a disturbance
  dies away with a time constant.

Lines near .5, 2.7 and 8 Hz are what Mikkonen et al. (DAFx 2023) measured on an Akai 4000D.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from tapezoo.tape.stretches import POINTS_PER_S, Real

SPEED_CM_S = 19.05
PINCH_ROLLER_CM, CAPSTAN_CM = 2.25, 0.75  # diameters
REEL_CM = (6.0, 4.0)  # radius of a full supply reel, and after half an hour
REEL_S = 1800.0
# peak deviations of the speed
REEL, PINCH_ROLLER = 2e-4, 4e-4
CAPSTAN = (5e-4, 1.5e-4, 5e-5)
FRICTION, DAMPED_S = 4e-4, 0.6  # standard deviation, time constant


def pinch_roller_hz() -> float:
    """Its rate."""
    return SPEED_CM_S / (np.pi * PINCH_ROLLER_CM)


def capstan_hz() -> float:
    """Its rate."""
    return SPEED_CM_S / (np.pi * CAPSTAN_CM)


def reel_hz(time_s: Real) -> Real:
    """The supply reel's rate: equal lengths of tape are equal areas of the wound reel."""
    full, later = REEL_CM
    radius_cm = np.sqrt(full**2 + (later**2 - full**2) * np.clip(time_s / REEL_S, 0, 1))
    rate: Real = SPEED_CM_S / (2 * np.pi * radius_cm)
    return rate


def friction_density(hertz: Real) -> Real:
    """Of the friction's part of the speed, 1/Hz, at 100 points per second: closed form."""
    kept = np.exp(-1 / (POINTS_PER_S * DAMPED_S))
    turn = np.exp(-2j * np.pi * hertz / POINTS_PER_S)
    density: Real = 2 / POINTS_PER_S * FRICTION**2 * (1 - kept**2) / np.abs(1 - kept * turn) ** 2
    return density


def virtual_speed(seconds: float, seed: int) -> Real:
    """Relative deviation of the speed of one recording, positive: fast.

    Args:
        seconds: Its length, s. It begins anywhere in the first half hour of a tape.
        seed: Of the recording.

    Shape:
        returns: (seconds * 100,).
    """
    random = np.random.Generator(np.random.Philox(seed))
    time_s = np.arange(round(seconds * POINTS_PER_S)) / POINTS_PER_S
    began_s = random.uniform(0, max(1.0, REEL_S - seconds))
    kept = np.exp(-1 / (POINTS_PER_S * DAMPED_S))
    pushes = FRICTION * np.sqrt(1 - kept**2) * random.standard_normal(len(time_s) + 1000)
    speed: Real = lfilter([1], [1, -kept], pushes)[1000:]
    turns = np.cumsum(reel_hz(began_s + time_s)) / POINTS_PER_S
    speed += REEL * np.sin(2 * np.pi * (turns + random.random()))
    speed += PINCH_ROLLER * np.sin(2 * np.pi * (pinch_roller_hz() * time_s + random.random()))
    for number, peak in enumerate(CAPSTAN, start=1):
        speed += peak * np.sin(2 * np.pi * (number * capstan_hz() * time_s + random.random()))
    return speed
