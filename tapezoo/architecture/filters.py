"""Filters and curves of one channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tapezoo.architecture.shapes import Shapes


@dataclass(frozen=True)
class ControlledFilter:
    """`y[n] = sum_k (W[0, k] + sum_c p_c[n] W[c, k]) x[n - (kernel_size - 1 - k)]`, p the controls; one channel.

    Args:
        controls: Number of controls, K, 1 or more.
        kernel_size: Taps.
        weight: W, (1 + K, 1, kernel_size).
        state: The last (1, kernel_size - 1) samples of x.
    """

    controls: int
    kernel_size: int
    weight: str
    state: str
    kind: Literal["controlled_filter"] = "controlled_filter"

    def shapes(self) -> Shapes:
        """Its tensors, and their shapes."""
        return {self.weight: (1 + self.controls, 1, self.kernel_size)}


@dataclass(frozen=True)
class Curve:
    """`y = l x + sum_i a_i (tanh(c_i x + b_i) - tanh(b_i))`, of one channel.

    Args:
        units: Number of tanh units.
        linear: l, (1,).
        amount: a, (units,).
        slope: c, (units,).
        offset: b, (units,).
    """

    units: int
    linear: str
    amount: str
    slope: str
    offset: str
    kind: Literal["curve"] = "curve"

    def shapes(self) -> Shapes:
        """Its tensors, and their shapes."""
        return {self.linear: (1,), **dict.fromkeys((self.amount, self.slope, self.offset), (self.units,))}
