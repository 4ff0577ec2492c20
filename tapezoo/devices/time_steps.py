"""One time step of the hysteresis equation, by Runge-Kutta and by Newton's method.

dM/dt = H' * susceptibility(M, H, sign H'), from one sample to the next. H and H' are known at both samples; between
them they are interpolated linearly. The four published steps are those of Chowdhury, "Real-time physical modelling for
analog tape machines", DAFx 2019, and Holters and Zoelzer, DAFx 2016 (Newton on the trapezoidal rule).
"""

from __future__ import annotations

import math

from tapezoo.compiled import compiled
from tapezoo.devices.jiles_atherton import (
    JilesAtherton,
    curvature,
    langevin,
    susceptibility,
    within_saturation,
)

# of the saturation magnetisation; the error after a step is about its square, so no further step is needed
TOLERANCE = 1e-8


@compiled
def rate(M: float, H: float, dH: float, tape: JilesAtherton) -> float:
    """dM/dt."""
    return dH * susceptibility(M, H, math.copysign(1.0, dH), tape)


@compiled
def rate_and_slope(M: float, H: float, dH: float, tape: JilesAtherton) -> tuple[float, float]:
    """dM/dt, and its derivative with respect to M."""
    delta = math.copysign(1.0, dH)
    Q = (H + tape.alpha * M) / tape.a
    L, dL = langevin(Q)
    difference = tape.Ms * L - M
    coupling = tape.alpha / tape.a
    reversible = tape.c * tape.Ms / tape.a * dL
    reversible_slope = tape.c * tape.Ms / tape.a * curvature(Q) * coupling
    wall = wall_slope = 0.0
    if difference * delta > 0.0:
        free = 1.0 - tape.c
        below = free * delta * tape.k - tape.alpha * difference
        wall = free * difference / below
        wall_slope = free * (tape.Ms * dL * coupling - 1.0) * free * delta * tape.k / (below * below)
    feedback = 1.0 - tape.alpha * reversible
    value = (wall + reversible) / feedback
    slope = (wall_slope + reversible_slope + value * tape.alpha * reversible_slope) / feedback
    return dH * value, dH * slope


@compiled
def rk2_step(
    M: float, last_H: float, last_dH: float, H: float, dH: float, T: float, tape: JilesAtherton
) -> float:
    """Explicit midpoint rule."""
    middle = M + 0.5 * T * rate(M, last_H, last_dH, tape)
    after = M + T * rate(middle, 0.5 * (H + last_H), 0.5 * (dH + last_dH), tape)
    return within_saturation(after, M, tape)


@compiled
def rk4_step(
    M: float, last_H: float, last_dH: float, H: float, dH: float, T: float, tape: JilesAtherton
) -> float:
    """The classical fourth-order rule."""
    middle_H, middle_dH = 0.5 * (H + last_H), 0.5 * (dH + last_dH)
    first = T * rate(M, last_H, last_dH, tape)
    second = T * rate(M + 0.5 * first, middle_H, middle_dH, tape)
    third = T * rate(M + 0.5 * second, middle_H, middle_dH, tape)
    fourth = T * rate(M + third, H, dH, tape)
    return within_saturation(M + (first + 2.0 * (second + third) + fourth) / 6.0, M, tape)


@compiled
def newton_step(
    M: float,
    last_H: float,
    last_dH: float,
    H: float,
    dH: float,
    T: float,
    tape: JilesAtherton,
    iterations: int,
    tolerance: float,
) -> float:
    """Trapezoidal rule, solved for M by at most `iterations` Newton iterations."""
    known = M + 0.5 * T * rate(M, last_H, last_dH, tape)
    after = M
    for _ in range(iterations):
        value, slope = rate_and_slope(after, H, dH, tape)
        move = (after - known - 0.5 * T * value) / (1.0 - 0.5 * T * slope)
        after = within_saturation(after - move, M, tape)
        if abs(move) <= tolerance * tape.Ms:
            break
    return after
