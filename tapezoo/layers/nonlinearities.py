"""Memoryless curves with trained shapes; each starts near the identity and maps 0 to 0."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from tapezoo.layers.ranges import limit

# of half a step between two samples: below it a series, above it the antiderivative itself keeps float32 exact
SMALL_STEP, LARGE_STEP = 0.1, 0.5
REACH = 3.0  # limit of an AsymmetricTanh's log drive and bias; beyond it float32 cannot normalise accurately


class TanhSum(nn.Module):
    """`f(x) = l x + sum_i a_i (tanh(c_i x + b_i) - tanh(b_i))`: one hidden layer and a straight line.

    Units with b_i = 0 are odd, the others bend one side more than the other; together they approximate any smooth curve
    with f(0) = 0 (Cybenko, "Approximation by superpositions of a sigmoidal function", 1989). At the start f is the
    identity: a = 0, l = 1; the c_i are spread geometrically over 0.5 to 8, the b_i alternate around 0.

    Args:
        units: Number of tanh units, 1 or more; `3 units + 1` parameters.

    Shape:
        input, output: (batch, 1, samples).
    """

    def __init__(self, units: int) -> None:
        super().__init__()
        spread = torch.linspace(0.0, 1.0, units)
        signs = torch.tensor([0.0, 1.0, -1.0]).repeat(units)[:units]
        self.linear = nn.Parameter(torch.ones(1))
        self.amount = nn.Parameter(torch.zeros(units))
        self.slope = nn.Parameter(0.5 * 16.0**spread)
        self.offset = nn.Parameter(signs * (0.5 + spread))

    def forward(self, input: Tensor) -> Tensor:
        """The curve, sample by sample."""
        offset = self.offset.unsqueeze(-1)  # (units, 1)
        bent = torch.tanh(self.slope.unsqueeze(-1) * input + offset) - torch.tanh(offset)
        # (batch, units, samples) -> (batch, 1, samples)
        return self.linear * input + torch.matmul(self.amount.unsqueeze(0), bent)

    past_samples = 0
    """Samples that `play` remembers."""
    latency_samples = 0
    """Delay of `play`, rounded up."""

    def play(self, input: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """The curve along a block, and what the next block needs of this one.

        Shape:
            input, output: (batch, 1, samples); past: (batch, 1, past_samples).
        """
        return self(input), past


class AntialiasedTanhSum(TanhSum):
    """A `TanhSum` that plays its mean over the straight line from one sample to the next: half a sample late.

    `y[n] = (F(x[n]) - F(x[n-1])) / (x[n] - x[n-1])`, F the antiderivative of f: f of the line through the samples,
    averaged over a period before it is sampled. Less of what it makes above half the sample rate folds back. The mean
    also takes treble, `cos(pi f / sample_rate)` of a straight f; a filter after it may give that back. Called, it is
    the curve itself.

    Parker, Zavalishin, Le Bivic, "Reducing the aliasing of nonlinear waveshaping using continuous-time convolution",
    DAFx 2016; Bilbao, Esqueda, Parker, Välimäki, "Antiderivative antialiasing for memoryless nonlinearities", IEEE
    Signal Processing Letters 2017.

    Args:
        units: See `TanhSum`.
    """

    past_samples = 1
    latency_samples = 1

    def play(self, input: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """See `TanhSum.play`."""
        line = torch.cat([past, input], dim=-1)
        offset = self.offset.unsqueeze(-1)  # (units, 1)
        means = mean_tanh(self.slope.unsqueeze(-1) * line + offset) - torch.tanh(offset)
        linear = self.linear * 0.5 * (line[..., 1:] + line[..., :-1])
        return linear + torch.matmul(self.amount.unsqueeze(0), means), line[..., -1:]


def mean_tanh(u: Tensor) -> Tensor:
    """The mean of tanh over the straight lines between successive numbers, (..., samples) -> (..., samples - 1).

    With the middle m and half the step d, it is `(log cosh(m + d) - log cosh(m - d)) / (2 d)`, which cancels where d is
    small, and equal to `artanh(tanh(m) tanh(d)) / d`, which does not.
    """
    later, earlier = u[..., 1:], u[..., :-1]
    middle, step = 0.5 * (later + earlier), 0.5 * (later - earlier)
    is_small, is_large = step.abs() < SMALL_STEP, step.abs() > LARGE_STEP
    bent = torch.tanh(middle)
    safe = torch.where(is_small, torch.ones_like(step), step)
    product = bent * torch.tanh(torch.where(is_large, torch.zeros_like(step), step))
    near = 0.5 * (torch.log(1 + product) - torch.log(1 - product)) / safe  # no artanh in ONNX exporters
    far = (_log_cosh(later) - _log_cosh(earlier)) / (2 * safe)
    square, slope = (
        step * step,
        1 - bent * bent,
    )  # derivatives 2 and 4: -2 bent slope, 8 bent slope (2 - 3 bent^2)
    series = bent * (1 - slope * square * (1 / 3 - (2 - 3 * bent * bent) * square / 15))
    return torch.where(is_small, series, torch.where(is_large, far, near))


def _log_cosh(u: Tensor) -> Tensor:
    """`log(2 cosh(u))`."""
    return u.abs() + nn.functional.softplus(-2 * u.abs())


CURVES: dict[str, type[TanhSum]] = {"tanh_sum": TanhSum, "antialiased": AntialiasedTanhSum}


class AsymmetricTanh(nn.Module):
    """`f(x) = (tanh(d x + b) - tanh(b)) / (d (1 - tanh(b)^2))`: a saturation with two numbers.

    The slope at 0 is 1. d and b are drive and bias in a technician's sense; b = 0 is symmetric, and the sign of b
    chooses the side that saturates first. The trained numbers p and q are unbounded:
    `log d = 3 tanh(p / 3)` and `b = 3 tanh(q / 3)`, so the divisor is never 0.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log_drive = nn.Parameter(torch.tensor([math.log(0.5)]))  # p
        self.bias = nn.Parameter(torch.zeros(1))  # q

    def forward(self, input: Tensor) -> Tensor:
        """The curve, sample by sample."""
        drive, bias = limit(self.log_drive, REACH).exp(), limit(self.bias, REACH)
        rest = torch.tanh(bias)
        return (torch.tanh(drive * input + bias) - rest) / (drive * (1 - rest * rest))


class MLPCurve(nn.Module):
    """`f(x) = x + g(x) - g(0)`, g a perceptron with two hidden layers of tanh.

    Args:
        hidden_size: Units per hidden layer, H; `H^2 + 4 H` parameters.

    Shape:
        input, output: (batch, 1, samples).
    """

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.first = nn.Linear(1, hidden_size)
        self.second = nn.Linear(hidden_size, hidden_size)
        self.third = nn.Linear(hidden_size, 1, bias=False)  # a bias would cancel in g(x) - g(0)
        with torch.no_grad():
            self.third.weight.mul_(0.1)

    def forward(self, input: Tensor) -> Tensor:
        """The curve, sample by sample."""
        bent = self._bend(input.transpose(1, 2)) - self._bend(torch.zeros_like(input[:1, :, :1]))
        return input + bent.transpose(1, 2)

    def _bend(self, signal: Tensor) -> Tensor:
        hidden = torch.tanh(self.first(signal))  # (batch, samples, H)
        bent: Tensor = self.third(torch.tanh(self.second(hidden)))
        return bent
