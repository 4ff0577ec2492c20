"""The error-to-signal ratio: energy of the error over energy of the target. A silent target has no ESR."""

from __future__ import annotations

import math


def esr(error_energy: float, target_energy: float) -> float:
    """Error over target, both sums of squares, at least 0; NaN for a silent target, whatever the error."""
    return error_energy / target_energy if target_energy > 0 else math.nan


def comparable_esr(error_energy: float, target_energy: float) -> float:
    """The ESR for whoever holds it against a limit or looks for the largest: never NaN.

    Nothing wrong is 0, also where the target is silent; anything else there is infinite, and so is an error that
    is no number.
    """
    if error_energy == 0:
        return 0.0
    ratio = esr(error_energy, target_energy)
    return math.inf if math.isnan(ratio) else ratio
