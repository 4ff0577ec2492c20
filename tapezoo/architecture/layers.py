"""Layers that many nets have."""

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
        return {self.weight: (self.outputs, self.inputs), **bias_shape(self.bias, self.outputs)}


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
        return {
            self.weight: (self.outputs, self.inputs, self.kernel_size),
            **bias_shape(self.bias, self.outputs),
        }


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
        return bias_shape(self.weight, self.channels)


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
