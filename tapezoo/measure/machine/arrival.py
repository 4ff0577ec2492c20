"""When a machine answers, and which way up: the probe of a declared latency."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import signal as scipy_signal

from tapezoo.measure.machine.machine import Machine

NOISE_DB, NOISE_S, SETTLE_S = -30.0, 1.0, 0.2
FARTHEST_S = 0.1


@dataclass(frozen=True)
class Arrival:
    """Where the answer to a click would stand.

    Args:
        declared_samples: The latency that the machine declares.
        found_samples: Where the response is largest, in samples after that: 0 where the declaration is right and the
            machine is no filter of long delay.
        inverted: Whether it is upside down there.
    """

    declared_samples: int
    found_samples: int
    inverted: bool


def measure_arrival(machine: Machine) -> Arrival:
    """Plays white noise and correlates it with what comes out.

    Args:
        machine: To measure.
    """
    rate = machine.sample_rate
    noise = 10 ** (NOISE_DB / 20) * np.random.default_rng(0).standard_normal(
        round((SETTLE_S + NOISE_S) * rate)
    )
    begin, far = round(SETTLE_S * rate), round(FARTHEST_S * rate)
    output = machine.play_one(noise)[begin:]
    output = output - output.mean()
    match = scipy_signal.correlate(output, noise[begin:], method="fft")
    middle = len(noise) - begin - 1
    near = match[middle - far : middle + far + 1]
    place = int(np.argmax(np.abs(near)))
    return Arrival(machine.latency_samples, place - far, bool(near[place] < 0))
