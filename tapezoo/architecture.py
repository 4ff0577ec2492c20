"""What a net is made of, as data: a format that lists layers and weights is written from this and a state dict."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

VERSION = 2

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]


@dataclass(frozen=True)
class Dense:
    """`y = W x + b` at every sample.

    Args:
        inputs: Channels of x.
        outputs: Channels of y.
        weight: W, (outputs, inputs). As all names of tensors here, it is the one in the net's state dict.
        bias: b, (outputs,).
    """

    inputs: int
    outputs: int
    weight: str
    bias: str | None = None
    kind: Literal["dense"] = "dense"

    def shapes(self) -> Shapes:
        """Its tensors, and their shapes."""
        return {self.weight: (self.outputs, self.inputs), **_bias(self.bias, self.outputs)}


@dataclass(frozen=True)
class Convolution:
    """`y[n] = b + sum_k W[k] x[n - (kernel_size - 1 - k) dilation]`: causal, the last tap meets the current sample.

    Args:
        inputs: Channels of x.
        outputs: Channels of y.
        kernel_size: Taps.
        weight: W, (outputs, inputs, kernel_size).
        bias: b, (outputs,).
        dilation: Samples from one tap to the next.
        state: The last (inputs, (kernel_size - 1) dilation) samples of x; None where there are none, or where the
            layer around it has them.
    """

    inputs: int
    outputs: int
    kernel_size: int
    weight: str
    bias: str | None = None
    dilation: int = 1
    state: str | None = None
    kind: Literal["conv1d"] = "conv1d"

    def shapes(self) -> Shapes:
        """Its tensors, and their shapes."""
        return {self.weight: (self.outputs, self.inputs, self.kernel_size), **_bias(self.bias, self.outputs)}


@dataclass(frozen=True)
class Recurrent:
    """An LSTM or a GRU of one layer with PyTorch's equations, order of gates and two biases.

    Args:
        kind: Which; it has 4 or 3 gates.
        inputs: Channels of its input.
        units: H.
        weight_ih: (gates H, inputs).
        weight_hh: (gates H, H).
        bias_ih: (gates H,).
        bias_hh: (gates H,).
        state: The hidden state, and the cell of an LSTM, (layers, H) each.
        state_row: Which of these layers it is.
    """

    kind: Literal["lstm", "gru"]
    inputs: int
    units: int
    weight_ih: str
    weight_hh: str
    bias_ih: str
    bias_hh: str
    state: tuple[str, ...]
    state_row: int = 0

    def shapes(self) -> Shapes:
        """Its tensors, and their shapes."""
        rows = self.units * (4 if self.kind == "lstm" else 3)
        return {
            self.weight_ih: (rows, self.inputs),
            self.weight_hh: (rows, self.units),
            self.bias_ih: (rows,),
            self.bias_hh: (rows,),
        }


@dataclass(frozen=True)
class Activation:
    """A function of every value.

    Args:
        function: "prelu" has a slope below 0 per channel.
        channels: Of input and output.
        weight: The slopes, (channels,); of "prelu" alone.
    """

    function: Literal["tanh", "sigmoid", "relu", "prelu"]
    channels: int
    weight: str | None = None
    kind: Literal["activation"] = "activation"

    def shapes(self) -> Shapes:
        """Its tensors, and their shapes."""
        return _bias(self.weight, self.channels)


@dataclass(frozen=True)
class Modulation:
    """What a conditioner does to features: a format has to know it by name.

    Args:
        by: The conditioner's class.
        channels: Of the features.
        tensors: All of its tensors, and their shapes.
        state: What it remembers.
    """

    by: str
    channels: int
    tensors: Shapes
    state: tuple[str, ...] = ()
    kind: Literal["modulation"] = "modulation"

    def shapes(self) -> Shapes:
        """Its tensors, and their shapes."""
        return self.tensors


@dataclass(frozen=True)
class SkipLayer:
    """`u = convolution(y) + mix(x, controls)`, `z = modulation(f(u))`, `y' = y + residual(z)`; z is heard outside.

    Args:
        convolution: From y to u.
        activation: f: "tanh", or "gated": tanh of the first half of the channels, times the sigmoid of the second.
        residual: Of one tap. A y of one channel is added to all of them.
        mix: Of one tap, from the net's input and, where the controls stand beside it, the controls.
        modulation: None: there is none.
    """

    convolution: Convolution
    activation: Literal["tanh", "gated"]
    residual: Convolution
    mix: Convolution | None = None
    modulation: Modulation | None = None
    kind: Literal["skip_layer"] = "skip_layer"

    def shapes(self) -> Shapes:
        """Its tensors, and their shapes."""
        return _all_shapes(self.convolution, self.mix, self.modulation, self.residual)


@dataclass(frozen=True)
class SkipStack:
    """Layers that follow each other after `widen`; `head` mixes the z of all of them.

    Where a stack follows another, its y begins with the last y before `widen`, and its sum of z with what the head
    before it gave.

    Args:
        layers: In order.
        head: Of one tap, from the z.
        skips: What the head gets: the sum of all z, or all z side by side.
        state: The y before every layer's block, as in `Convolution.state`, one layer after the other along time.
        widen: Of one tap, from the y before; None: y as it is.
    """

    layers: tuple[SkipLayer, ...]
    head: Convolution
    skips: Literal["sum", "concatenate"]
    state: tuple[str, ...]
    widen: Convolution | None = None
    kind: Literal["skip_stack"] = "skip_stack"

    def shapes(self) -> Shapes:
        """Its tensors, and their shapes."""
        return _all_shapes(self.widen, *self.layers, self.head)


@dataclass(frozen=True)
class ResidualBlock:
    """`y = activation(modulation(convolution(x))) + gain x`.

    Args:
        convolution: With the state.
        activation: Of the features.
        gain: Per channel, (channels, 1).
        modulation: None: there is none.
    """

    convolution: Convolution
    activation: Activation
    gain: str
    modulation: Modulation | None = None
    kind: Literal["residual_block"] = "residual_block"

    def shapes(self) -> Shapes:
        """Its tensors, and their shapes."""
        gain = {self.gain: (self.activation.channels, 1)}
        return {**_all_shapes(self.convolution, self.modulation, self.activation), **gain}


@dataclass(frozen=True)
class ControlledFilter:
    """`y[n] = sum_k (W[0, k] + sum_c p_c[n] W[c, k]) x[n - (kernel_size - 1 - k)]`, p the controls; one channel.

    Args:
        controls: K, 1 or more.
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
        units: How many tanh.
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


@dataclass(frozen=True)
class StateSpaceBlock:
    """`y = x + tanh(modulation(S u))`, `u = tanh(mix(x))`, S a diagonal state space for every channel.

    `s[n] = a s[n-1] + b u[n]`, `(S u)[n] = 2 Re(sum over modes C s[n]) + D u[n]`, with
    `A = -exp(decay) + i frequency`, `a = exp(dt A)`, `b = (a - 1) / A`, `dt = exp(log_dt)`. The tensors
    hold the filters of several blocks, one behind the other.

    Args:
        mix: From x to u.
        filters: Of all blocks, F.
        first: The filter of this block's first channel.
        modes: Complex numbers in s, N.
        log_dt: (F,).
        decay: (F, N).
        frequency: (F, N).
        C: Real and imaginary part, (2, F, N).
        D: (F,).
        state: s of all blocks, real and imaginary part, (blocks, channels, N, 2), in double precision.
        state_row: Which of these blocks it is.
        modulation: None: there is none.
    """

    mix: Dense
    filters: int
    first: int
    modes: int
    log_dt: str
    decay: str
    frequency: str
    C: str
    D: str
    state: str
    state_row: int
    modulation: Modulation | None = None
    kind: Literal["state_space_block"] = "state_space_block"

    def shapes(self) -> Shapes:
        """Its tensors, and their shapes."""
        by_mode = (self.filters, self.modes)
        own = {self.log_dt: by_mode[:1], self.decay: by_mode, self.frequency: by_mode}
        return {**own, self.C: (2, *by_mode), self.D: by_mode[:1], **_all_shapes(self.mix, self.modulation)}


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
        own = {self.limit: (1,), **_bias(self.bend, 1)}
        return {**_all_shapes(self.first, *self.hidden, self.head), **own}


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


Layer = (
    Dense
    | Convolution
    | Recurrent
    | Activation
    | Modulation
    | SkipStack
    | ResidualBlock
    | ControlledFilter
    | Curve
    | StateSpaceBlock
    | Transition
    | ControlledTransition
)


@dataclass(frozen=True)
class Architecture:
    """A net: layers in series from the signal (one channel) to the output (one channel), and a linear path beside them.

    `output = gain (scale layers(v) + linear_path(v)) + beside(input)`, `v = before(input)`; without a gain
    it is 1, without `before` v is the input.

    Args:
        layers: In order; each gets what the one before gives.
        state: All tensors of the net's state but the glide of its controls.
        num_controls: Knobs, in 0..1.
        smoothing_samples: See `tapezoo.net.Net`.
        controls_at: Where the controls come in: "input": as channels after the signal in the first layer, and in the
            `mix` of every skip layer; "modulation"; "weights": in what the weights are; None: there are none.
        embedding: What the controls pass before the modulations.
        linear_path: From the signal to the output.
        scale: Factor on the output of the layers.
        gain: Trained factor on all of the net but `beside`, (1,).
        before: What all of the net but `beside` hears the input through.
        beside: A long filter from the signal to the output.
        left_out: Parameters that are no part of any layer, and why.
    """

    layers: tuple[Layer, ...]
    state: tuple[str, ...]
    num_controls: int = 0
    smoothing_samples: int = 0
    controls_at: Literal["input", "modulation", "weights"] | None = None
    embedding: tuple[Dense | Activation, ...] = ()
    linear_path: Convolution | None = None
    scale: float = 1.0
    gain: str | None = None
    before: Convolution | None = None
    beside: Convolution | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    version: int = VERSION

    def shapes(self) -> Shapes:
        """All tensors it mentions, by their names in the state dict, and their shapes."""
        filters = self.linear_path, self.before, self.beside
        return {**_all_shapes(*self.embedding, *self.layers, *filters), **_bias(self.gain, 1)}

    def modulations(self) -> Iterator[Modulation]:
        """All of them, in order."""
        for layer in self.layers:
            for part in layer.layers if isinstance(layer, SkipStack) else (layer,):
                if isinstance(part, Modulation):
                    yield part
                elif (
                    isinstance(part, SkipLayer | ResidualBlock | StateSpaceBlock)
                    and part.modulation is not None
                ):
                    yield part.modulation

    def as_dict(self) -> dict[str, Any]:
        """As plain dictionaries; every layer says its kind."""
        return dataclasses.asdict(self)

    def to_json(self) -> str:
        """As JSON."""
        return json.dumps(self.as_dict(), indent=2)


Part = Layer | SkipLayer


def _all_shapes(*parts: Part | None) -> Shapes:
    return {name: shape for part in parts if part is not None for name, shape in part.shapes().items()}


def _bias(name: str | None, channels: int) -> Shapes:
    return {} if name is None else {name: (channels,)}
