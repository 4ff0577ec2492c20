"""Smooth curves read as a loop, given by some points per second: cubic B-splines (Unser, IEEE SPM 16(6), 1999)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class LoopedCurves(nn.Module):
    """Periodic cubic splines through points at equal distances; where the last one ends the first begins.

    Values are in double precision: a delay of 300 samples in single precision is known to 3e-5 samples, which a tone
    of 10 kHz hears. A net keeps the place in a state that runs on for ever, as for `LoopedTable`; rows that are to hear
    the same keep the same place.

    Args:
        points: (curves, points), the values of the curves every `hop_samples`, 4 points or more.
        hop_samples: Distance between two points, 1 or more.
        begin: Where the curves begin, samples, 0 or more: another number, another take.
    """

    windows: Tensor
    weights: Tensor
    sums: Tensor

    def __init__(self, points: Tensor, hop_samples: int, begin: int = 0) -> None:
        super().__init__()
        if points.dim() != 2 or points.shape[1] < 4 or hop_samples < 1:
            raise ValueError(
                f"points of shape {tuple(points.shape)} every {hop_samples} samples; 4 or more of each"
            )
        self.hop_samples, self.begin = hop_samples, begin
        coefficients = spline_coefficients(points.double())
        near = [coefficients.roll(1 - number, dims=1) for number in range(4)]
        into = torch.arange(hop_samples, dtype=torch.float64) / hop_samples
        weights = [
            (1 - into) ** 3,
            3 * into**3 - 6 * into**2 + 4,
            3 * (into + into**2 - into**3) + 1,
            into**3,
        ]
        # the four coefficients of one curve, then those of the next: one row is one read
        self.register_buffer("windows", torch.stack(near, dim=1).flatten(0, 1).T.contiguous())
        self.register_buffer("weights", torch.stack(weights, dim=1).repeat(1, len(points)) / 6)
        self.register_buffer("sums", torch.eye(len(points), dtype=torch.float64).repeat_interleave(4, dim=0))

    @property
    def length_samples(self) -> int:
        """Of the loop."""
        return len(self.windows) * self.hop_samples

    @property
    def rest(self) -> Tensor:
        """The place at rest, to be registered as the rest state."""
        return torch.tensor(self.begin % self.length_samples)

    def forward(self, place: Tensor, samples: int) -> tuple[Tensor, Tensor]:
        """The next samples of all curves, (batch, samples, curves), float64, and the places after them, (batch,).

        Args:
            place: (batch,), int64.
            samples: Length of the block.
        """
        number = place[:, None] + torch.arange(samples, device=place.device)
        point = torch.div(number, self.hop_samples, rounding_mode="trunc")
        weights = self.weights[number % self.hop_samples]
        windows = self.windows[point % len(self.windows)]
        return (windows * weights) @ self.sums, (place + samples) % self.length_samples


def spline_coefficients(points: Tensor) -> Tensor:
    """Coefficients of the periodic cubic B-spline through `points`, (..., points) each.

    A spline is nowhere further from 0 than its coefficients.
    """
    count = points.shape[-1]
    turn = 2 * math.pi * torch.arange(count // 2 + 1, dtype=points.dtype) / count
    coefficients: Tensor = torch.fft.irfft(torch.fft.rfft(points) * 6 / (4 + 2 * torch.cos(turn)), n=count)
    return coefficients
