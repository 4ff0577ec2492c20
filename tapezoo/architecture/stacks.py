"""Stacks and blocks of layers with paths around them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tapezoo.architecture.layers import Activation, Convolution, Dense, Modulation
from tapezoo.architecture.shapes import Shapes, all_shapes

LEAK = 0.01
"""Slope of "leaky_relu" below 0, PyTorch's default."""


@dataclass(frozen=True)
class SkipLayer:
    """`u = convolution(y) + mix(x, controls)`, `z = modulation(f(u))`, `y' = y + residual(z)`; z also goes to the head.

    Args:
        convolution: From y to u.
        activation: f: "tanh"; "gated": tanh of the first half of the channels, times the sigmoid of the second;
            "leaky_relu": u above 0, `LEAK` u below.
        residual: 1x1. If y has one channel, it is added to every channel of the result.
        mix: 1x1, from the net's input and, if the controls are appended to it, the controls.
        modulation: None: there is no modulation.
    """

    convolution: Convolution
    activation: Literal["tanh", "gated", "leaky_relu"]
    residual: Convolution
    mix: Convolution | None = None
    modulation: Modulation | None = None
    kind: Literal["skip_layer"] = "skip_layer"

    def shapes(self) -> Shapes:
        """Its tensors, and their shapes."""
        return all_shapes(self.convolution, self.mix, self.modulation, self.residual)


@dataclass(frozen=True)
class SkipStack:
    """Layers in series after `widen`; `head` mixes the z of all of them.

    If a stack follows another, its y starts from the last y of that stack, passed through `widen`, and its sum of z
    starts from the output of that stack's head.

    Args:
        layers: In order.
        head: From the z; 1x1, but in the last stack it may have more taps, of dilation 1, and then a state.
        skips: What the head receives: the sum of all z, or all z side by side.
        state: The y before the block of every layer, as in `Convolution.state`, one layer after another along time.
        widen: 1x1, from the previous y; None: y unchanged.
    """

    layers: tuple[SkipLayer, ...]
    head: Convolution
    skips: Literal["sum", "concatenate"]
    state: tuple[str, ...]
    widen: Convolution | None = None
    kind: Literal["skip_stack"] = "skip_stack"

    def shapes(self) -> Shapes:
        """Its tensors, and their shapes."""
        return all_shapes(self.widen, *self.layers, self.head)


@dataclass(frozen=True)
class ResidualBlock:
    """`y = activation(modulation(convolution(x))) + gain x`.

    Args:
        convolution: Includes the state.
        activation: Applied to the features.
        gain: One per channel, (channels, 1).
        modulation: None: there is no modulation.
    """

    convolution: Convolution
    activation: Activation
    gain: str
    modulation: Modulation | None = None
    kind: Literal["residual_block"] = "residual_block"

    def shapes(self) -> Shapes:
        """Its tensors, and their shapes."""
        gain = {self.gain: (self.activation.channels, 1)}
        return {**all_shapes(self.convolution, self.modulation, self.activation), **gain}


@dataclass(frozen=True)
class StateSpaceBlock:
    """`y = x + tanh(modulation(S u))`, `u = tanh(mix(x))`, S a diagonal state space for every channel.

    `s[n] = a s[n-1] + b u[n]`, `(S u)[n] = 2 Re(sum over modes C s[n]) + D u[n]`, with
    `A = -exp(decay) + i frequency`, `a = exp(dt A)`, `b = (a - 1) / A`, `dt = exp(log_dt)`. The tensors
    hold the filters of several blocks, one after another.

    Args:
        mix: From x to u.
        filters: Of all blocks, F.
        first: Index of the filter of this block's first channel.
        modes: Complex numbers in s, N.
        log_dt: (F,).
        decay: (F, N).
        frequency: (F, N).
        C: Real and imaginary part, (2, F, N).
        D: (F,).
        state: s of all blocks, real and imaginary part, (blocks, channels, N, 2), in double precision.
        state_row: Which of these blocks it is.
        modulation: None: there is no modulation.
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
        return {**own, self.C: (2, *by_mode), self.D: by_mode[:1], **all_shapes(self.mix, self.modulation)}
