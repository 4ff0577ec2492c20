"""Layers common to many nets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tapezoo.architecture.shapes import Shapes, bias_shape


@dataclass(frozen=True)
class Dense:
    """`y = W x + b` at every sample.

    Args:
        inputs: Channels of x.
        outputs: Channels of y.
        weight: W, (outputs, inputs). Like all tensor names here, this is the name in the net's state dict.
        bias: b, (outputs,).
    """

    inputs: int
    outputs: int
    weight: str
    bias: str | None = None
    kind: Literal["dense"] = "dense"

    def shapes(self) -> Shapes:
        """Its tensors, and their shapes."""
        return {self.weight: (self.outputs, self.inputs), **bias_shape(self.bias, self.outputs)}


@dataclass(frozen=True)
class Convolution:
    """`y[n] = b + sum_k W[k] x[n - (kernel_size - 1 - k) dilation]`: causal, the last tap is the current sample's.

    Args:
        inputs: Channels of x.
        outputs: Channels of y.
        kernel_size: Taps.
        weight: W, (outputs, inputs, kernel_size).
        bias: b, (outputs,).
        dilation: Samples from one tap to the next.
        state: The last (inputs, (kernel_size - 1) dilation) samples of x; None if there are none, or if the enclosing
            layer holds them.
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
        return {
            self.weight: (self.outputs, self.inputs, self.kernel_size),
            **bias_shape(self.bias, self.outputs),
        }


@dataclass(frozen=True)
class Recurrent:
    """One layer of an LSTM or a GRU, with PyTorch's equations, gate order and two biases.

    Args:
        kind: Which of the two; an LSTM has 4 gates, a GRU 3.
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
class DelayedRecurrent:
    """A recurrent layer that hears, in place of its last state, a weighted sum of its last states.

    Args:
        layer: Its state tensors are (layers, depth, H), oldest first.
        depth: How many of them.
        taps: Their weights, of h and c alike, (1, 1, depth).
    """

    layer: Recurrent
    depth: int
    taps: str
    kind: Literal["delayed_recurrent"] = "delayed_recurrent"

    def shapes(self) -> Shapes:
        """Its tensors, and their shapes."""
        return {**self.layer.shapes(), self.taps: (1, 1, self.depth)}


@dataclass(frozen=True)
class Activation:
    """A function of every value.

    Args:
        function: Name of the function; "prelu" has a slope per channel for negative values.
        channels: Of input and output.
        weight: The slopes, (channels,); only for "prelu".
    """

    function: Literal["tanh", "sigmoid", "relu", "prelu"]
    channels: int
    weight: str | None = None
    kind: Literal["activation"] = "activation"

    def shapes(self) -> Shapes:
        """Its tensors, and their shapes."""
        return bias_shape(self.weight, self.channels)


@dataclass(frozen=True)
class Modulation:
    """The effect of a conditioner on features; a format must support the conditioner by name.

    Args:
        by: The conditioner's class.
        channels: Of the features.
        tensors: All of its tensors, and their shapes.
        state: The names of its state tensors.
    """

    by: str
    channels: int
    tensors: Shapes
    state: tuple[str, ...] = ()
    kind: Literal["modulation"] = "modulation"

    def shapes(self) -> Shapes:
        """Its tensors, and their shapes."""
        return self.tensors
