"""The inputs of a state transition net: a field and its slope, now and one sample earlier, and turning-point aids."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

SLOPE_SCALE = (
    5.0  # music changes by a few tenths of full scale per sample at most: gives slopes the size of fields
)
LEFT_OVER = 1e-9  # level at which the slope's impulse response is cut off
STILL = 1e-4  # of full scale per sample; the sign of a much smaller slope is close to 0
START_BEND = 3.0  # initial b of the anhysteretic curve; drive 0.5 of Chowdhury's tape
SERIES_REACH = 0.5


def slope(field: Tensor, last_field: Tensor, last_slope: Tensor, alpha: float, rise: float) -> Tensor:
    """`H'[n] = (1 + alpha) rise (H[n] - H[n-1]) - alpha H'[n-1]`: the alpha transform, per sample at `rise` 1.

    The recursion is written as a convolution with its impulse response, cut off where it has decayed: a loop over
    samples would be slow, and this has a gradient and can be traced.

    Args:
        field: The block.
        last_field: Field of the sample before the block.
        last_slope: Slope of the sample before the block.
        alpha: 0 to below 1; 0 is a difference, 1 would be the trapezoidal rule, whose ringing never ends.
        rise: Sample rate divided by the rate at which a slope is per sample.

    Shape:
        field, result: (batch, samples); last_field, last_slope: (batch, 1).
    """
    taps = response_samples(alpha)
    decay = (-alpha) ** torch.arange(taps, dtype=torch.float64)
    differences = torch.cat([field[:, :1] - last_field, field[:, 1:] - field[:, :-1]], dim=1)
    driven = torch.nn.functional.conv1d(
        torch.nn.functional.pad(differences, [taps - 1, 0]).unsqueeze(1),
        ((1.0 + alpha) * rise * decay.flip(0)).to(field).reshape(1, 1, -1),
    ).squeeze(1)
    # the decaying contribution of the slope before the block; as long as the block in exported graphs too
    count = torch.cumsum(torch.ones_like(field[:1]), dim=1)
    left = torch.exp(count * math.log(alpha)) * (1.0 - 2.0 * count.remainder(2.0)) if alpha else 0.0 * count
    return driven + left * last_slope


def response_samples(alpha: float) -> int:
    """The number of samples after which the slope no longer depends on a change."""
    return 1 if alpha == 0 else 1 + math.ceil(math.log(LEFT_OVER) / math.log(alpha))


class TransitionInputs(nn.Module, ABC):
    """The inputs of the first layer, except the last output.

    Shape:
        field, slope and both one sample earlier: (samples, rows); output: (count, samples, rows).
    """

    count: int
    """The number of inputs."""

    @abstractmethod
    def forward(self, field: Tensor, slope: Tensor, last_field: Tensor, last_slope: Tensor) -> Tensor:
        """All inputs."""

    def turn(self, slope: Tensor, last_slope: Tensor) -> Tensor:
        """Factor on M at the net's input, 1 or -1, (samples, rows)."""
        return torch.ones_like(slope)


class Plain(TransitionInputs):
    """H, H', H_1, H'_1: together with M_1, the five inputs of the published nets."""

    count = 4

    def forward(self, field: Tensor, slope: Tensor, last_field: Tensor, last_slope: Tensor) -> Tensor:
        """See `TransitionInputs`."""
        return torch.stack([field, SLOPE_SCALE * slope, last_field, SLOPE_SCALE * last_slope])


class Mirrored(TransitionInputs):
    """The plain inputs and M_1, with their signs inverted while the field falls.

    A hysteresis is odd: falling from M mirrors rising from -M. A net that receives both in the same form is odd by
    construction: it has half as much to learn, leaves no offset after loud passages, and detects where a loop turns. A
        net
    of dM/dH is then a function of the four signals and M along the direction of the field.
    """

    count = 4

    def __init__(self) -> None:
        super().__init__()
        self.plain = Plain()

    def forward(self, field: Tensor, slope: Tensor, last_field: Tensor, last_slope: Tensor) -> Tensor:
        """See `TransitionInputs`."""
        heard: Tensor = self.plain(field, slope, last_field, last_slope)
        return heard * self.turn(slope, last_slope)

    def turn(self, slope: Tensor, last_slope: Tensor) -> Tensor:
        """See `TransitionInputs.turn`: -1 if the field falls between the last sample and this one."""
        rising = slope + last_slope >= 0.0
        return torch.where(rising, torch.ones_like(slope), -torch.ones_like(slope))


class WithSign(TransitionInputs):
    """The plain inputs and the sign of H'.

    At a turning point the branch of a loop changes at once, which is hard for a tanh to learn.
    The sign is soft below a slope of `STILL`, so that the ringing of the alpha transform in silence has no effect.
    """

    count = 5

    def __init__(self) -> None:
        super().__init__()
        self.plain = Plain()

    def forward(self, field: Tensor, slope: Tensor, last_field: Tensor, last_slope: Tensor) -> Tensor:
        """See `TransitionInputs`."""
        sign = slope * torch.rsqrt(slope * slope + STILL * STILL)
        return torch.cat([self.plain(field, slope, last_field, last_slope), sign.unsqueeze(0)])


class WithAnhysteretic(TransitionInputs):
    """The inputs of `WithSign`, and the anhysteretic curve of the field, `L(b H)`, L Langevin's function, b trained."""

    count = 6

    def __init__(self) -> None:
        super().__init__()
        self.signed = WithSign()
        self.bend = nn.Parameter(torch.tensor([START_BEND]))

    def forward(self, field: Tensor, slope: Tensor, last_field: Tensor, last_slope: Tensor) -> Tensor:
        """See `TransitionInputs`."""
        curve = langevin(self.bend * field)
        return torch.cat([self.signed(field, slope, last_field, last_slope), curve.unsqueeze(0)])


def langevin(x: Tensor) -> Tensor:
    """`coth(x) - 1/x`; near 0 its series, which also has a gradient there."""
    near = x.abs() < SERIES_REACH
    safe = torch.where(near, torch.ones_like(x), x)
    far = 1.0 / torch.tanh(safe) - 1.0 / safe
    u = x * x
    return torch.where(
        near, x * (1 / 3 + u * (-1 / 45 + u * (2 / 945 + u * (-1 / 4725 + u * (2 / 93555))))), far
    )


INPUTS: dict[str, type[TransitionInputs]] = {
    "plain": Plain,
    "mirrored": Mirrored,
    "sign": WithSign,
    "anhysteretic": WithAnhysteretic,
}
