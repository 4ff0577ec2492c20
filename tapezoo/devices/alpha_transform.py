"""The time derivative of a sampled field, as the time-stepping solvers of hysteresis use it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tapezoo.compiled import compiled

ALPHA = 0.75  # 1 is the trapezoidal rule, whose ringing at Nyquist never ends; 0 is the backward difference
# in 1/s, far below the derivative of the smallest float32 step: without it, the recursion would continue in silence
# with denormals, which are slow
_NOTHING = 1e-60


@compiled
def differentiate(H: float, last_H: float, last_dH: float, sample_rate: float) -> float:
    """H' = (1.75/T)(H - H_1) - 0.75 H'_1."""
    dH = (1.0 + ALPHA) * sample_rate * (H - last_H) - ALPHA * last_dH
    return dH if abs(dH) > _NOTHING else 0.0


@compiled
def _differentiate_rows(
    field: NDArray[np.float64],
    last_H: NDArray[np.float64],
    last_dH: NDArray[np.float64],
    sample_rate: float,
    derivative: NDArray[np.float64],
) -> None:
    for row in range(field.shape[0]):
        H, dH = last_H[row], last_dH[row]
        for n in range(field.shape[1]):
            dH = differentiate(field[row, n], H, dH, sample_rate)
            H = field[row, n]
            derivative[row, n] = dH


def alpha_derivative(
    field: NDArray[np.float64], H: NDArray[np.float64], dH: NDArray[np.float64], sample_rate: float
) -> NDArray[np.float64]:
    """dH/dt of every sample by the alpha transform.

    H' = (1.75/T)(H - H_1) - 0.75 H'_1, Chowdhury, "Real-time physical modelling for analog tape machines", DAFx
    2019. It is exact on a straight line and of first order elsewhere: it is delayed by T/14.
    A change of direction rings at Nyquist and decays by 2.5 dB per sample.

    Args:
        field: In any unit.
        H: The field one sample before the start of each row.
        dH: Derivative at that sample, per second.
        sample_rate: In Hz.

    Shape:
        field (rows, samples), H (rows,), dH (rows,) -> (rows, samples), per second.
    """
    derivative = np.empty_like(field)
    _differentiate_rows(field, H, dH, float(sample_rate), derivative)
    return derivative
