"""Limits of the models' arguments: one error, raised by a net before it builds anything."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real

from tapezoo.errors import TapezooError

# no machine or paper needs more; without limits a typing error could fill the memory before any message appears
WIDEST = 4096
"""Channels, units and kernel taps of a layer, at most."""
DEEPEST = 256
"""Layers, blocks and sections in series, at most."""
LONGEST_SAMPLES = 1 << 20
"""The longest finite receptive field, and the longest time constant: 24 s at 44.1 kHz."""

INPUT_SCALES = 0.01, 1000.0
"""Factors on initial input weights: from nearly no signal to units that only switch."""


class ModelArgumentError(TapezooError):
    """A model's argument has a value from which no net can be built.

    Args:
        name: The argument, as a recipe's `model` section calls it.
        found: Its value.
        expected: What would have been correct.
    """

    def __init__(self, name: str, found: str, expected: str) -> None:
        fix = "Correct it in the recipe, or leave it out for the default."
        super().__init__(f"model.{name}", found=found, expected=expected, fix=fix)


def require_whole(name: str, value: int, least: int, most: int) -> None:
    """Raises ModelArgumentError unless `value` is a whole number from `least` to `most`."""
    if not (_is_whole(value) and least <= value <= most):
        raise ModelArgumentError(name, repr(value), f"a whole number from {least} to {most}")


def require_wholes(name: str, values: Sequence[int], least: int, most: int) -> None:
    """Raises ModelArgumentError unless `values` are 1 to DEEPEST whole numbers from `least` to `most`."""
    if not 1 <= len(values) <= DEEPEST:
        raise ModelArgumentError(name, f"{len(values)} numbers", f"1 to {DEEPEST} of them")
    if not all(_is_whole(value) and least <= value <= most for value in values):
        raise ModelArgumentError(name, repr(values), f"whole numbers from {least} to {most}")


def require_number(name: str, value: float, least: float, most: float) -> None:
    """Raises ModelArgumentError unless `value` is a number from `least` to `most`."""
    if not (_is_number(value) and least <= value <= most):  # NaN compares false
        raise ModelArgumentError(name, repr(value), f"a number from {least:g} to {most:g}")


def require_factor(name: str, value: float) -> None:
    """Raises ModelArgumentError unless `value` is finite and not 0."""
    if not (_is_number(value) and math.isfinite(value) and value != 0):
        raise ModelArgumentError(name, repr(value), "a finite number other than 0")


def require_one_of(name: str, value: object, known: Sequence[object]) -> None:
    """Raises ModelArgumentError unless `value` is one of `known`."""
    if value not in known:
        raise ModelArgumentError(name, repr(value), "one of " + ", ".join(map(str, known)))


def require_reach(name: str, value: object, receptive_field: int) -> None:
    """Raises ModelArgumentError, naming the argument `name`, if the receptive field would exceed LONGEST_SAMPLES."""
    if receptive_field > LONGEST_SAMPLES:
        raise ModelArgumentError(
            name,
            f"{value!r}, which reaches back more than {LONGEST_SAMPLES} samples",
            "at most that receptive field",
        )


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
