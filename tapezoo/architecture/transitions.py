"""State transition nets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tapezoo.architecture.layers import Dense
from tapezoo.architecture.shapes import Shapes, all_shapes, bias_shape


@dataclass(frozen=True)
class Transition:
    """`M[n] = M[n-1] + s[n] head(hidden(first(u[n])))`, a tanh after `first` and each of `hidden`; the output is M.

    M is limited to +-limit before it is output and fed back.

    u is H (the input), `slope_scale H'`, both one sample earlier; with `inputs` "sign" or "anhysteretic"
    `H' / sqrt(H'^2 + still^2)`; with "anhysteretic" `coth(b H) - 1 / (b H)`; then M[n-1]; then the controls.
    `H'[n] = (1 + alpha) rise (H[n] - H[n-1]) - alpha H'[n-1]`. s is `increment / rise`, or, without an
    increment, `(H'[n] + H'[n-1]) / (2 rise)`. With "mirrored" inputs, all of u except the controls is
    multiplied by D: 1 if `H'[n] + H'[n-1] >= 0`, else -1; there is no increment then.

    Args:
        first: Layer that takes u.
        hidden: The layers after it.
        head: Layer that gives one number.
        limit: (1,).
        inputs: See above.
        bend: b, (1,); only with "anhysteretic".
        increment: See above.
        alpha: See above.
        rise: Playback sample rate divided by the trained one.
        slope_scale: See above.
        still: See above.
        state: H, H' and M of the previous sample, (1,) each.
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
    """Weight vectors w(c), interpolated multilinearly between the points of a table around c.

    `place = c (positions - 1)` on every axis. The vectors of the 2^axes surrounding points are weighted by the products
    of their nearness on each axis; limits and scales likewise. After the net's own P numbers, a row of the table has W
    numbers for each control without an axis; they are multiplied by that control and added to the first layer's biases.

    Args:
        axes: Number of positions of every control, evenly spaced over 0..1; 0: no axis.
        table: (points, P + W inputs), points in C order of the axes.
        shape: Shape of the table.
        limits: Limit of M at each point, divided by the scale, (points,).
        scales: Scale of M: a constant, and for each control without an axis a coefficient that is multiplied by it,
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
        exponents: For every term, the power of each control.
        coefficients: C, (P, terms).
        shape: Shape of C.
        limits: l, (terms,): coefficients of the limit of M, divided by its scale.
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
    """A `Transition` whose weights are functions of the controls, which are not among its inputs.

    All weights form one vector: first.weight (W, inputs + 1) by rows, M last; first.bias (W,); for each further layer
    its weight (W, W) by rows and bias (W,); head.weight (W,); head.bias (1,). Inside the net, M is divided by a scale.
    To use M itself instead, divide the first layer's column of M by the scale, and multiply the head, its bias and the
    limit by it. All are evaluated at the controls at the start of every `step_samples` after a new target, until the
    controls are constant (`tapezoo.layers.smoothing.steps`).

    Args:
        layers: Number of layers with a tanh, 1 or more.
        width: W.
        weights: See above.
        inputs: See `Transition`; only inputs without parameters of their own.
        increment: See there.
        alpha: See there.
        rise: See there.
        slope_scale: See there.
        still: See there.
        state: See there.
        held: The controls at which the weights were last evaluated, (K,); None without controls.
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
