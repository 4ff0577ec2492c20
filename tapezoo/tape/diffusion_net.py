"""A diffusion model of a random signal: it makes the next window from noise, so that it goes on from the last one."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from tapezoo.tape.generator import Generator
from tapezoo.tape.unet import UNet


class DiffusionNet(Generator):
    """Denoises step by step (Karras et al., "Elucidating the design space of diffusion-based generative models",
    NeurIPS 2022).

    The net is told what comes before a window, and at the seam of a loop what comes after it: it learns to fill the
    gap. The model of Mikkonen et al. 2023 is unconditional, and longer outputs are outpainted with an overlap of 1 s.

    Args:
        window_points: Of a window; a multiple of the product of the strides.
        context_points: Of a window, known from the one before.
        channels: See `UNet`.
        strides: See `UNet`.
        layers: See `UNet`.
        least_sigma: Of the noise, in standard deviations of the signal; what is smaller is not modelled.
        most_sigma: Of the noise that sampling begins with.
        rho: Bends the steps towards small noise.
        steps: Of the sampling; each but the last takes two evaluations (Heun).
    """

    def __init__(
        self,
        window_points: int,
        context_points: int = 128,
        channels: Sequence[int] = (8, 16, 16, 16, 16),
        strides: Sequence[int] = (2, 2, 4, 4),
        layers: int = 8,
        least_sigma: float = 0.01,
        most_sigma: float = 20.0,
        rho: float = 7.0,
        steps: int = 16,
    ) -> None:
        super().__init__(window_points, context_points)
        self.unet = UNet(window_points, 3, channels, strides, layers)
        self.least_sigma, self.most_sigma, self.rho, self.steps = least_sigma, most_sigma, rho, steps

    def denoised(self, noisy: Tensor, sigma: Tensor, known: Tensor, is_known: Tensor) -> Tensor:
        """The clean signal, as far as it can be told.

        Args:
            noisy: The signal and noise of `sigma`.
            sigma: (batch,), in standard deviations of the signal.
            known: The signal where it is known, else 0.
            is_known: 1 there, else 0.

        Shape:
            noisy, known, is_known, returns: (batch, 1, samples).
        """
        root = (1 + sigma**2).sqrt()[:, None, None]
        inputs = torch.cat([noisy / root, known, is_known], dim=1)
        found = self.unet(inputs, sigma.log() / 4)
        wide = sigma[:, None, None]
        clean: Tensor = noisy / root**2 + wide / root * found
        return clean

    def fill(self, known: Tensor, is_known: Tensor, random: np.random.Generator) -> Tensor:
        """A window around what is known of it; pure in the state of `random`.

        Shape:
            known, is_known, returns: (batch, 1, samples).
        """
        levels = self._levels(known)
        noisy = levels[0] * torch.from_numpy(random.standard_normal(known.shape)).to(known)
        for sigma, lower in itertools.pairwise(levels):
            slope = (noisy - self._at(noisy, sigma, known, is_known)) / sigma
            stepped = noisy + (lower - sigma) * slope
            if lower > 0:  # Heun's second evaluation
                after = (stepped - self._at(stepped, lower, known, is_known)) / lower
                stepped = noisy + (lower - sigma) * (slope + after) / 2
            noisy = stepped
        return torch.where(is_known > 0, known, noisy)

    def _at(self, noisy: Tensor, sigma: Tensor, known: Tensor, is_known: Tensor) -> Tensor:
        return self.denoised(noisy, sigma.expand(len(noisy)), known, is_known)

    def _levels(self, like: Tensor) -> Tensor:
        """(steps + 1,), falling to 0."""
        part = torch.linspace(0, 1, self.steps, dtype=like.dtype)
        high, low = self.most_sigma ** (1 / self.rho), self.least_sigma ** (1 / self.rho)
        return torch.cat([(high + part * (low - high)) ** self.rho, like.new_zeros(1)])
