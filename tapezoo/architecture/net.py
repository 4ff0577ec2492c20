"""A whole net."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tapezoo.architecture.filters import ControlledFilter, Curve
from tapezoo.architecture.grey_box import GreyBoxChain
from tapezoo.architecture.hyper import ControlledRecurrent
from tapezoo.architecture.layers import (
    Activation,
    Convolution,
    DelayedRecurrent,
    Dense,
    Modulation,
    Recurrent,
)
from tapezoo.architecture.shapes import Shapes, all_shapes, bias_shape
from tapezoo.architecture.stacks import ResidualBlock, SkipLayer, SkipStack, StateSpaceBlock
from tapezoo.architecture.transitions import ControlledTransition, Transition

VERSION = 2

Layer = (
    Dense
    | Convolution
    | Recurrent
    | DelayedRecurrent
    | Activation
    | Modulation
    | SkipStack
    | ResidualBlock
    | ControlledFilter
    | Curve
    | StateSpaceBlock
    | Transition
    | ControlledTransition
    | GreyBoxChain
    | ControlledRecurrent
)


@dataclass(frozen=True)
class Architecture:
    """A net: layers in series from the signal (one channel) to the output (one channel), and a linear path beside them.

    `output = gain (scale layers(v) + linear_path(v)) + beside(input)`, `v = before(input)`. If there is no gain it is
    1; if there is no `before`, v is the input.

    Args:
        layers: In order; each takes the previous one's output.
        state: All tensors of the net's state, except those of the control glide.
        num_controls: Number of knobs, in 0..1.
        smoothing_samples: See `tapezoo.net.Net`.
        controls_at: Where the controls enter: "input": as channels after the signal in the first layer, and in the
            `mix` of every skip layer; "modulation"; "weights": the weights depend on them; None: there are no controls.
        embedding: Layers that the controls pass before the modulations.
        linear_path: From the signal to the output.
        scale: Factor on the output of the layers.
        gain: Trained factor on the whole net except `beside`, (1,).
        before: A long filter through which the input passes, except to `beside`.
        beside: A long filter from the signal to the output.
        left_out: Parameters that belong to no layer, and why.
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
        """All tensors in the description, by their names in the state dict, and their shapes."""
        filters = self.linear_path, self.before, self.beside
        return {**all_shapes(*self.embedding, *self.layers, *filters), **bias_shape(self.gain, 1)}

    def modulations(self) -> Iterator[Modulation]:
        """All modulations, in order."""
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
        """As plain dictionaries; every layer includes its kind."""
        return dataclasses.asdict(self)

    def to_json(self) -> str:
        """As JSON."""
        return json.dumps(self.as_dict(), indent=2)
