"""The model of a recipe that trains a diffusion model of a transport's speed, or of a noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tapezoo.tape.diffusion_net import DiffusionNet
from tapezoo.tape.lines import Quantity
from tapezoo.tape.model import GeneratorModel


class DiffusionUNet(GeneratorModel):
    """A diffusion model of a random signal (`tapezoo.tape.diffusion_net.DiffusionNet`).

    Args:
        rate_hz: Points per second; declared by the data.
        quantity: What the signal is; declared by the data.
        window_points: Of a window; declared by the data. A multiple of the product of the strides.
        context_points: See `DiffusionNet`.
        channels: See `UNet`.
        strides: See `UNet`.
        layers: See `UNet`.
        least_sigma: See `DiffusionNet`.
        most_sigma: See `DiffusionNet`.
        steps: See `DiffusionNet`.
        training: Arguments of `GeneratorModel`.
    """

    def __init__(
        self,
        rate_hz: int = 100,
        quantity: Quantity = "speed",
        window_points: int = 512,
        context_points: int = 128,
        channels: Sequence[int] = (8, 16, 16, 16, 16),
        strides: Sequence[int] = (2, 2, 4, 4),
        layers: int = 8,
        least_sigma: float = 0.01,
        most_sigma: float = 20.0,
        steps: int = 16,
        **training: Any,
    ) -> None:
        net = DiffusionNet(
            window_points,
            context_points,
            channels,
            strides,
            layers,
            least_sigma,
            most_sigma,
            steps=steps,
        )
        super().__init__(net, rate_hz, quantity, **training)
