"""The objective of diffusion models: to take noise of any level off a window."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from tapezoo.tape.diffusion_net import DiffusionNet
from tapezoo.tape.generator import Generator
from tapezoo.training.aim import Aim, Progress, Update
from tapezoo.training.arguments import require

ALONE, JOINED = 0.25, 0.25  # share of windows of which nothing is known; of which both ends are


class GenerativeObjective(Aim):
    """How a generator is trained, on windows of the signal it is to make."""

    @abstractmethod
    def step(self, net: Generator, windows: Tensor, progress: Progress, update: Update) -> dict[str, Tensor]:
        """Trains on one batch.

        Args:
            net: The generator.
            windows: (batch, 1, window_points), with a standard deviation of 1.
            progress: How far the training has got.
            update: Makes an optimizer step.

        Returns:
            Scalars to log, averaged over the epoch; one of them is "train_loss".
        """

    @abstractmethod
    def validation_losses(self, net: Generator, windows: Tensor) -> dict[str, Tensor]:
        """Scalars of some windows of the validation, the same for the same weights; one of them is "val_loss"."""


class Denoising(GenerativeObjective):
    """Weighted squared error of the denoised window (Karras et al., NeurIPS 2022, table 1 and equation 8).

    The logarithm of the noise's standard deviation is Gaussian. Of each window the first `context_points` are known,
    or nothing, or both ends, as it is when the net plays; the error is that of the rest.

    Args:
        mean_log_sigma: Of that Gaussian.
        spread_log_sigma: Its standard deviation, above 0.
        gradient_clip_norm: Largest norm of the gradient, above 0; None: no limit.

    Raises:
        TrainingError: A value out of its range.
    """

    def __init__(
        self,
        mean_log_sigma: float = -1.2,
        spread_log_sigma: float = 1.5,
        gradient_clip_norm: float | None = 1.0,
    ) -> None:
        super().__init__()
        require("mean_log_sigma", mean_log_sigma, -10 <= mean_log_sigma <= 10, "-10 to 10")
        require("spread_log_sigma", spread_log_sigma, 0 < spread_log_sigma <= 10, "above 0, 10 at most")
        is_limit = gradient_clip_norm is None or gradient_clip_norm > 0
        require("gradient_clip_norm", gradient_clip_norm, is_limit, "a number above 0, or null for no limit")
        self.mean_log_sigma, self.spread_log_sigma = mean_log_sigma, spread_log_sigma
        self.gradient_clip_norm = gradient_clip_norm

    def optimized_parameters(self, net: Generator) -> dict[str, object]:  # type: ignore[override]
        """See `Aim`; the net must be a diffusion model."""
        require("objective", type(net).__name__, isinstance(net, DiffusionNet), "a net that denoises")
        return {"net": net.parameters()}

    def step(self, net: Generator, windows: Tensor, progress: Progress, update: Update) -> dict[str, Tensor]:
        """See `GenerativeObjective.step`: one optimizer step."""
        loss = self._loss(net, windows, torch.default_generator)
        update(loss, clip_norm=self.gradient_clip_norm)
        return {"train_loss": loss.detach()}

    def validation_losses(self, net: Generator, windows: Tensor) -> dict[str, Tensor]:
        """See `GenerativeObjective`; noise and gaps are the same in every epoch."""
        return {"val_loss": self._loss(net, windows, torch.Generator().manual_seed(0))}

    def _loss(self, net: Generator, windows: Tensor, random: torch.Generator) -> Tensor:
        assert isinstance(net, DiffusionNet)  # see optimized_parameters
        is_known = known_parts(len(windows), net, random)
        log_sigma = torch.randn(len(windows), generator=random) * self.spread_log_sigma + self.mean_log_sigma
        sigma = log_sigma.exp().to(windows)
        noise = torch.randn(windows.shape, generator=random).to(windows)
        noisy = windows + sigma[:, None, None] * noise
        error = net.denoised(noisy, sigma, windows * is_known, is_known) - windows
        weight = (1 + sigma**2) / sigma**2
        asked = 1 - is_known
        return (weight[:, None, None] * asked * error.square()).sum() / asked.sum()


def known_parts(rows: int, net: Generator, random: torch.Generator) -> Tensor:
    """(rows, 1, window_points): 1 where a window is known, 0 where it is to be made."""
    draw = torch.rand(rows, generator=random)
    place = torch.arange(net.window_points)
    before = (draw > ALONE)[:, None] & (place < net.context_points)
    shortest, longest = net.context_points, net.window_points - net.context_points - 1
    after_points = torch.randint(shortest, longest, (rows,), generator=random)
    after = (draw > 1 - JOINED)[:, None] & (place >= net.window_points - after_points[:, None])
    return (before | after).float().unsqueeze(1)
