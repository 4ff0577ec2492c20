"""A model whose output is known: the input times a gain that follows the controls."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tapezoo.net import Net, State
from tapezoo.training.effect import EffectModel


class GainNet(Net):
    """output = input * (1 + sum_k slope_k * control_k ** power), delayed by `latency_samples`."""

    def __init__(self, slopes: list[float], power: float, latency_samples: int) -> None:
        super().__init__(len(slopes), receptive_field=1 + latency_samples)
        self.latency_samples = latency_samples
        self.slopes = torch.nn.Parameter(torch.tensor(slopes))
        self.power = power
        if latency_samples:
            self.register_rest("late", torch.zeros(1, latency_samples))

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        path, knobs = self.smoothed(controls, state, input.shape[-1])
        gain = 1 + (self.slopes[:, None] * path**self.power).sum(dim=1, keepdim=True)
        output = input * gain
        if self.latency_samples:
            joined = torch.cat([state["late"], output], dim=-1)
            output, late = joined[..., : input.shape[-1]], joined[..., input.shape[-1] :]
            knobs = {**knobs, "late": late}
        return output, knobs


class Gain(EffectModel):
    """Trains a GainNet."""

    def __init__(
        self, slopes: list[float], power: float = 1.0, latency_samples: int = 0, **training: Any
    ) -> None:
        super().__init__(**training)
        self.net = GainNet(slopes, power, latency_samples)


def gain_model(slopes: list[float], power: float = 1.0, latency_samples: int = 0, **training: Any) -> Gain:
    """In eval mode, with one control per slope named a, b, c ... unless `controls` says otherwise."""
    names = "abcdefgh"[: len(slopes)]
    training.setdefault("controls", [{"name": name, "default": 0.25} for name in names])
    return Gain(slopes, power, latency_samples, **training).eval()
