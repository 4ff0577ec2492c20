"""Supervised training of nets whose disturbances of the state must decay."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from tapezoo.blocks import whole_hops
from tapezoo.net import Net, State
from tapezoo.training.arguments import require
from tapezoo.training.supervised import Supervised

NUDGE = 1e-2  # of the RMS of each state tensor: large against rounding, small against the state
ROWS_SHARE = 4  # one row in this many is played a second time
LEAST_RATIO = 1e-6


class Steady(Supervised):
    """Trains as `Supervised`, with a penalty if disturbances of a recurrent net's state grow.

    A net with feedback can follow its recording and still be unsteady: two states that differ slightly move apart
    instead of together. Every step plays the first `horizon_samples` of every fourth row twice more, once from the
    state itself and once from the state disturbed by a hundredth of its size. The disturbance should shrink to
    `forget` of itself or less; the loss grows by `growth_weight` times the excess of its logarithm. A net that
    contracts has a fading memory (Miller, Hardt, "Stable recurrent models", ICLR 2019). Here this is required on the
    states that the training audio produces, not of the weights. The horizon is short, because over long times the
    gradient of a chaotic net is useless.

    Noise on the input adds variety to the training audio (Bishop, "Training with noise is equivalent to
    Tikhonov regularization", Neural Computation 7, 1995).

    Args:
        growth_weight: Weight of the penalty, 0 (none) or more.
        horizon_samples: Samples after which the disturbance is measured, 1 or more.
        forget: Share of the disturbance allowed then, above 0, up to 1.
        input_noise: Standard deviation of white noise on the input, relative to the RMS of each row; 0: none.
        supervised: The rest of the training, see `Supervised`.

    Raises:
        TrainingError: An argument is out of its range; or see `Supervised`.
    """

    def __init__(
        self,
        growth_weight: float = 0.02,
        horizon_samples: int = 128,
        forget: float = 0.9,
        input_noise: float = 0.0,
        **supervised: Any,
    ) -> None:
        super().__init__(**supervised)
        require("growth_weight", growth_weight, growth_weight >= 0, "0 or more")
        require("horizon_samples", horizon_samples, horizon_samples >= 1, "1 or more")
        require("forget", forget, 0 < forget <= 1, "above 0, up to 1")
        require("input_noise", input_noise, input_noise >= 0, "0 or more")
        self.growth_weight, self.forget = growth_weight, forget
        self.horizon_samples = horizon_samples
        self.input_noise = input_noise

    def disturbed(self, net: Net, input: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Supervised.disturbed`: with noise on the input."""
        if not self.input_noise:
            return input, state
        size = input.square().mean(dim=(1, 2), keepdim=True).sqrt()
        return input + self.input_noise * size * torch.randn_like(input), state

    def penalty(self, net: Net, input: Tensor, controls: Tensor, state: State, after: State) -> Tensor | None:
        """See `Supervised.penalty`: `growth` times its weight."""
        if not self.growth_weight:
            return None
        return self.growth_weight * self.growth(net, input, controls, state)

    def growth(self, net: Net, input: Tensor, controls: Tensor, state: State) -> Tensor:
        """By how many nepers a state disturbance later exceeds `forget` times its start; mean over rows.

        Args:
            net: The net in training.
            input: A chunk, (batch, 1, samples).
            controls: (batch, num_controls).
            state: Before the chunk.
        """
        rows = torch.randperm(input.shape[0], device=input.device)[: -(-input.shape[0] // ROWS_SHARE)]
        samples = min(whole_hops(self.horizon_samples, net.hop_samples), input.shape[-1])
        plain = {name: value[rows] for name, value in state.items()}
        nudged = dict(plain)
        for name in _remembered(net, plain):
            value = plain[name]
            nudged[name] = value + NUDGE * value.square().mean().sqrt() * torch.randn_like(value)
        both = {name: torch.cat([plain[name], nudged[name]]) for name in plain}
        _, after = net(input[rows, :, :samples].repeat(2, 1, 1), controls[rows].repeat(2, 1), both)
        led = {name: value[: len(rows)] for name, value in after.items()}
        moved = {name: value[len(rows) :] for name, value in after.items()}
        ratios = []
        for name in _remembered(net, plain):
            before = _distance(nudged[name], plain[name])
            ended = _distance(moved[name], led[name])
            scale = plain[name].detach().square().mean() + LEAST_RATIO
            ratios.append(torch.stack([before, ended]) / scale)
        if not ratios:
            return input.new_zeros(())
        before, ended = torch.stack(ratios).sum(dim=0)
        ratio = ended / before.clamp_min(LEAST_RATIO**2)
        return torch.relu(0.5 * torch.log(ratio + LEAST_RATIO**2) - math.log(self.forget)).mean()


def _remembered(net: Net, state: State) -> list[str]:
    """The floating-point state tensors, except the control glide."""
    return [name for name in net.state_names if state[name].is_floating_point()]


def _distance(one: Tensor, other: Tensor) -> Tensor:
    """Mean square of the difference, per row."""
    return (one - other).square().flatten(start_dim=1).mean(dim=1)
