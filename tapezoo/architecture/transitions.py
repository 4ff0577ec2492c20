"""State transition nets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tapezoo.architecture.layers import Dense
from tapezoo.architecture.shapes import Shapes, all_shapes, bias_shape


@dataclass(frozen=True)
class Transition:
    """`M[n] = M[n-1] + s[n] head(hidden(first(u[n])))`, a tanh after `first` and each of `hidden`; it gives M.

    M is held within +-limit before it is given and heard.

    u is H (the input), `slope_scale H'`, both one sample earlier; with `inputs` "sign" or "anhysteretic"
    `H' / sqrt(H'^2 + still^2)`; with "anhysteretic" `coth(b H) - 1 / (b H)`; then M[n-1]; then the controls.
    `H'[n] = (1 + alpha) rise (H[n] - H[n-1]) - alpha H'[n-1]`. s is `increment / rise`, or, where there is no
    increment, `(H'[n] + H'[n-1]) / (2 rise)`. With "mirrored" inputs all of u but the controls is
    multiplied by D: 1 where `H'[n] + H'[n-1] >= 0`, else -1; there is no increment then.

    Args:
        first: From u.
        hidden: The layers after it.
        head: To one number.
        limit: (1,).
        inputs: See above.
        bend: b, (1,); of "anhysteretic" alone.
        increment: See above.
        alpha: See above.
        rise: Sample rate it is played at over the one it was trained at.
        slope_scale: See above.
        still: See above.
        state: H, H' and M of the sample before, (1,) each.
    """

    first: Dense
    hidden: tuple[Dense, ...]
    head: Dense
    limit: str
    inputs: Literal["plain", "mirrored", "sign", "anhysteretic"]
    bend: str | None
    increment: float | None
    alpha: float
    rise: float
    slope_scale: float
    still: float
    state: tuple[str, str, str]
    kind: Literal["transition"] = "transition"

    def shapes(self) -> Shapes:
        """Its tensors, and their shapes."""
        own = {self.limit: (1,), **bias_shape(self.bend, 1)}
        return {**all_shapes(self.first, *self.hidden, self.head), **own}


@dataclass(frozen=True)
class TableWeights:
    """Vectors w(c), mixed multilinearly from those of a table's points around c.

    `place = c (positions - 1)` on every axis; the vectors of the 2^axes points around it count with the products of how
    near they are, and so do limits and scales. What stands behind the net's own P numbers in a row are W numbers for
    each control that is no axis: times that control they are added to the first layer's biases.

    Args:
        axes: Of every control its positions, evenly spaced over 0..1; 0: no axis.
        table: (points, P + W inputs), points in C order of the axes.
        shape: Of the table.
        limits: What M is held within at each point, over the scale, (points,).
        scales: Of M: a number, and one for each control that is no axis, which are added times that control,
            (points, 1 + inputs).
    """

    axes: tuple[int, ...]
    table: str
    shape: tuple[int, int]
    limits: str
    scales: str
    kind: Literal["table"] = "table"

    def shapes(self) -> Shapes:
        """Its tensors, and their shapes."""
        points = self.shape[0]
        return {self.table: self.shape, self.limits: (points,), self.scales: (points, 1 + self.axes.count(0))}


@dataclass(frozen=True)
class PolynomialWeights:
    """Vectors w(c) = C f(c), limits l f(c) and scales s f(c), f the products of powers of `2 c - 1`.

    Args:
        exponents: Of every term the power of each control.
        coefficients: C, (P, terms).
        shape: Of C.
        limits: l, (terms,): what M is held within over its scale.
        scales: s, (terms,).
    """

    exponents: tuple[tuple[int, ...], ...]
    coefficients: str
    shape: tuple[int, int]
    limits: str
    scales: str
    kind: Literal["polynomial"] = "polynomial"

    def shapes(self) -> Shapes:
        """Its tensors, and their shapes."""
        terms = self.shape[1:]
        return {self.coefficients: self.shape, self.limits: terms, self.scales: terms}


WeightsOf = TableWeights | PolynomialWeights


@dataclass(frozen=True)
class ControlledTransition:
    """A `Transition` without controls among its inputs, whose weights are functions of them.

    All weights as one vector: first.weight (W, inputs + 1) by rows, M last; first.bias (W,); for each further layer its
    weight (W, W) by rows and bias (W,); head.weight (W,); head.bias (1,). The net hears M over a scale, and gives it in
    that scale: with M itself, the first layer's column of M is divided by the scale, and the head, its bias and the
    limit are multiplied by it. All are taken at the controls where they stand at the begin of every `step_samples`
    after a new target, until they stand still (`tapezoo.layers.smoothing.steps`).

    Args:
        layers: With a tanh, 1 or more.
        width: W.
        weights: See above.
        inputs: See `Transition`; none of them has a parameter of its own.
        increment: See there.
        alpha: See there.
        rise: See there.
        slope_scale: See there.
        still: See there.
        state: See there.
        held: The controls that the weights were taken at last, (K,); None without controls.
        step_samples: See above.
    """

    layers: int
    width: int
    weights: WeightsOf
    inputs: Literal["plain", "mirrored", "sign"]
    increment: float | None
    alpha: float
    rise: float
    slope_scale: float
    still: float
    state: tuple[str, str, str]
    held: str | None
    step_samples: int
    kind: Literal["controlled_transition"] = "controlled_transition"

    def shapes(self) -> Shapes:
        """Its tensors, and their shapes."""
        return self.weights.shapes()
