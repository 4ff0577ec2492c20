"""The error-to-signal ratio: energy of the error over energy of the target. A silent target has no ESR."""

from __future__ import annotations

import math


def esr(error_energy: float, target_energy: float) -> float:
    """Error over target, both sums of squares, at least 0; NaN for a silent target, whatever the error."""
    return error_energy / target_energy if target_energy > 0 else math.nan


def comparable_esr(error_energy: float, target_energy: float) -> float:
    """The ESR for comparing with a limit or finding the largest: never NaN.

    Without any error it is 0, even if the target is silent. With an error and a silent target it is infinite, as it is
    if the error is NaN.
    """
    if error_energy == 0:
        return 0.0
    ratio = esr(error_energy, target_energy)
    return math.inf if math.isnan(ratio) else ratio
