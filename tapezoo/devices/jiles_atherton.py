"""Magnetic hysteresis of tape: the equation of Jiles and Atherton and the constants of one tape.

Equations: Chowdhury, "Real-time physical modelling for analog tape machines", DAFx 2019, after Holters and
Zoelzer, "Circuit simulation with inductors and transformers based on the Jiles-Atherton model of
magnetization", DAFx 2016, and Jiles and Atherton, "Theory of ferromagnetic hysteresis", J. Magn. Magn. Mater.
61, 1986.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from tapezoo.compiled import compiled

# below this, the closed form loses digits to cancellation; the series then has an error below 1e-15
_SERIES_LIMIT = 0.3


class JilesAtherton(NamedTuple):
    """Constants of one tape in the paper's symbols, field and magnetisation normalised to full scale.

    Args:
        Ms: Saturation magnetisation.
        a: Shape of the anhysteretic curve, in units of the field.
        alpha: Mean field coupling.
        k: Coercivity, in units of the field.
        c: Reversible share of the magnetisation, 0..1.
    """

    Ms: float
    a: float
    alpha: float
    k: float
    c: float


def parameters(drive: float, saturation: float, width: float) -> JilesAtherton:
    """The published parametrisation of Chowdhury's tape: three knobs to five constants.

    Args:
        drive: 0..1, how soon the anhysteretic curve bends.
        saturation: 0..1, lowers the saturation magnetisation.
        width: 0..1, width of the loop; a well biased tape has a narrow one.
    """
    Ms = 0.5 + 1.5 * (1.0 - saturation)
    # the published formula ends at -0.01, which would give a tape that inverts quiet signals
    c = max(math.sqrt(1.0 - width) - 0.01, 0.0)
    return JilesAtherton(Ms=Ms, a=Ms / (0.01 + 6.0 * drive), alpha=1.6e-3, k=0.47875, c=c)


def initial_susceptibility(tape: JilesAtherton) -> float:
    """dM/dH of the demagnetised tape at H = 0: the reversible part, c * Ms / (3 a), with mean field."""
    slope = tape.c * tape.Ms / (3.0 * tape.a)
    return slope / (1.0 - tape.alpha * slope)


@compiled
def langevin(x: float) -> tuple[float, float]:
    """Langevin function coth(x) - 1/x and its derivative, by series near 0."""
    x2 = x * x
    if x2 < _SERIES_LIMIT * _SERIES_LIMIT:
        # Bernoulli numbers: L(x) = sum 2^2n B_2n / (2n)! x^(2n-1), n = 1...
        value = x * (
            1 / 3
            + x2
            * (
                -1 / 45
                + x2
                * (
                    2 / 945
                    + x2 * (-1 / 4725 + x2 * (2 / 93555 + x2 * (-1382 / 638512875 + x2 * 4 / 18243225)))
                )
            )
        )
        slope = 1 / 3 + x2 * (
            -3 / 45
            + x2
            * (
                10 / 945
                + x2
                * (-7 / 4725 + x2 * (18 / 93555 + x2 * (-11 * 1382 / 638512875 + x2 * 13 * 4 / 18243225)))
            )
        )
        return value, slope
    inverse = 1.0 / x
    coth = math.copysign(1.0 + 2.0 / (math.exp(2.0 * abs(x)) - 1.0), x)
    return coth - inverse, inverse * inverse - (coth * coth - 1.0)


@compiled
def curvature(x: float) -> float:
    """Second derivative of the Langevin function, by series near 0."""
    x2 = x * x
    if x2 < _SERIES_LIMIT * _SERIES_LIMIT:
        return x * (
            -6 / 45
            + x2
            * (
                40 / 945
                + x2
                * (-42 / 4725 + x2 * (144 / 93555 + x2 * (-1382 * 110 / 638512875 + x2 * 4 * 156 / 18243225)))
            )
        )
    inverse = 1.0 / x
    coth = math.copysign(1.0 + 2.0 / (math.exp(2.0 * abs(x)) - 1.0), x)
    return 2.0 * (coth * (coth * coth - 1.0) - inverse * inverse * inverse)


@compiled
def susceptibility(M: float, H: float, delta: float, tape: JilesAtherton) -> float:
    """dM/dH while the field moves in direction `delta` (+1 or -1): the paper's dM/dt divided by dH/dt."""
    L, dL = langevin((H + tape.alpha * M) / tape.a)
    difference = tape.Ms * L - M
    reversible = tape.c * tape.Ms / tape.a * dL
    irreversible = 0.0
    if difference * delta > 0.0:  # delta_M: domain walls never move against the field
        free = 1.0 - tape.c
        irreversible = free * difference / (free * delta * tape.k - tape.alpha * difference)
    return (irreversible + reversible) / (1.0 - tape.alpha * reversible)


@compiled
def within_saturation(M: float, last_M: float, tape: JilesAtherton) -> float:
    """M limited to +-Ms, as in the equation's exact solution; the previous M if a step gave no finite result."""
    if tape.Ms < M:
        return tape.Ms
    if -tape.Ms > M:
        return -tape.Ms
    return M if M == M else last_M
