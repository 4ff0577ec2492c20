"""A model beside the best linear filter, in words."""

from __future__ import annotations

import math

HARDLY_DB = 1.0


def beside_floor_text(esr: float, floor: float) -> str:
    """A model beside the best linear filter, in words."""
    if math.isnan(floor) or math.isnan(esr):
        return "no linear floor to compare with"
    if esr >= floor:
        return "worse than the best linear filter: an equaliser would do better"
    if esr == 0:
        return "the error is exactly 0"
    gain_db = 10 * math.log10(floor / esr)
    if gain_db < HARDLY_DB:
        return (
            f"hardly better than the best linear filter ({gain_db:.1f} dB): an equaliser does nearly as well"
        )
    return f"{floor / esr:.1f} times better than the best linear filter ({gain_db:.1f} dB)"
