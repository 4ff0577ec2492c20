"""What is periodic in a signal, by the kind of the signal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from tapezoo.tape.noise import find_hum, without_hum
from tapezoo.tape.spectral import find_lines, without_steady
from tapezoo.tape.stretches import Real
from tapezoo.tape.synthesis import Line

Quantity = Literal["speed", "noise"]
"""What a signal is: the relative deviation of a transport's speed, or a noise, re full scale."""


def find_periodic(quantity: Quantity, stretches: Sequence[Real], rate_hz: int) -> tuple[Line, ...]:
    """The lines of a transport's speed (capstan, pinch roller), or of a noise (the mains).

    Args:
        quantity: What the signal is.
        stretches: (points,) each.
        rate_hz: Points per second.
    """
    return find_lines(stretches) if quantity == "speed" else find_hum(stretches, rate_hz)


def without_periodic(quantity: Quantity, stretch: Real, lines: Sequence[Line], rate_hz: int) -> Real:
    """What is left of a stretch without them."""
    return without_steady(stretch, lines) if quantity == "speed" else without_hum(stretch, lines, rate_hz)
