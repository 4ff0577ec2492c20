"""What a state transition net hears: a field and its slope, now and one sample earlier, and help at turning points."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

SLOPE_SCALE = (
    5.0  # music moves by some tenths of full scale a sample at most: slopes are heard as loud as fields
)
LEFT_OVER = 1e-9  # what the response of the slope has decayed to where it is cut off
STILL = 1e-4  # of full scale per sample: a slope far below it has no sign
START_BEND = 3.0  # of the anhysteretic curve; drive 0.5 of Chowdhury's tape
SERIES_REACH = 0.5


def slope(field: Tensor, last_field: Tensor, last_slope: Tensor, alpha: float, rise: float) -> Tensor:
    """`H'[n] = (1 + alpha) rise (H[n] - H[n-1]) - alpha H'[n-1]`: the alpha transform, per sample at `rise` 1.

    The recursion is written as a convolution with its response, cut off where nothing is left of it: a loop per sample
    would be slow, and this has a gradient and a graph.

    Args:
        field: The block.
        last_field: Before it.
        last_slope: Before it.
        alpha: 0 to below 1; 0 is a difference, 1 would be the trapezoidal rule, whose ringing never ends.
        rise: Sample rate over the one at which a slope is per sample.

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
    # what the slope before is worth later: in a tensor as long as the block in exported graphs too
    count = torch.cumsum(torch.ones_like(field[:1]), dim=1)
    left = torch.exp(count * math.log(alpha)) * (1.0 - 2.0 * count.remainder(2.0)) if alpha else 0.0 * count
    return driven + left * last_slope


def response_samples(alpha: float) -> int:
    """After how many samples the slope has forgotten a change."""
    return 1 if alpha == 0 else 1 + math.ceil(math.log(LEFT_OVER) / math.log(alpha))


class TransitionInputs(nn.Module, ABC):
    """What the first layer hears beside the last output.

    Shape:
        field, slope and both one sample earlier: (samples, rows); output: (count, samples, rows).
    """

    count: int
    """How many."""

    @abstractmethod
    def forward(self, field: Tensor, slope: Tensor, last_field: Tensor, last_slope: Tensor) -> Tensor:
        """All of them."""

    def turn(self, slope: Tensor, last_slope: Tensor) -> Tensor:
        """What M is heard with, 1 or -1, (samples, rows)."""
        return torch.ones_like(slope)


class Plain(TransitionInputs):
    """H, H', H_1, H'_1: with M_1 the five inputs of the published nets."""

    count = 4

    def forward(self, field: Tensor, slope: Tensor, last_field: Tensor, last_slope: Tensor) -> Tensor:
        """See `TransitionInputs`."""
        return torch.stack([field, SLOPE_SCALE * slope, last_field, SLOPE_SCALE * last_slope])


class Mirrored(TransitionInputs):
    """The plain ones and M_1 as they are while the field rises; where it falls, all are heard with their signs turned.

    A hysteresis is odd: what falls from M is the mirror image of what rises from -M. A net that hears both as the same
    is odd by construction: it has to learn half as much, leaves no offset behind after loud passages, and knows where a
    loop turns. A net of dM/dH is then a function of the four signals and M along the way of the field.
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
        """See `TransitionInputs.turn`: -1 where the field falls on the way from the last sample to this one."""
        rising = slope + last_slope >= 0.0
        return torch.where(rising, torch.ones_like(slope), -torch.ones_like(slope))


class WithSign(TransitionInputs):
    """The plain ones, and the sign of H': where a loop turns, its branch changes at once, which a tanh has to learn.

    It is soft below a slope of `STILL`, so that the ringing of the alpha transform in silence is not heard.
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
    """Those of `WithSign`, and the anhysteretic curve of the field, `L(b H)`, L Langevin's function, b trained."""

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
    """`coth(x) - 1/x`, near 0 its series, which also has a gradient there."""
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
