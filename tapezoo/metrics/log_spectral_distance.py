"""The log-spectral distance over a whole set."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

WINDOW_SAMPLES, HOP_SAMPLES = 2048, 512
RANGE_DB = (
    100.0  # dB below the loudest bin of the target's row; anything deeper is inaudible, and set to this
)


class LogSpectralDistance(Metric):
    """Log-spectral distance in dB: how far apart two spectrograms are, quiet bins counting as much as loud ones.

    The mean over frames of the root of the mean over bins of `(20 log10 |Y| - 20 log10 |X|)^2` (Gray and Markel,
    "Distance measures for speech processing", IEEE Trans. ASSP 1976). Frames have 2048 samples, a Hann window, and a
    hop of 512; both spectra are limited to 100 dB under the target's loudest bin. Frames in which the target is silent
    throughout are left out, and so are rows shorter than a frame.
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    distance: Tensor
    frames: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("distance", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("frames", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, output: Tensor, target: Tensor) -> None:
        """Adds one row (1, samples)."""
        if target.shape[-1] < WINDOW_SAMPLES:
            return
        wanted = _power(target)
        floor = wanted.max() * 10 ** (-RANGE_DB / 10)
        sounds = wanted.amax(dim=-2) > floor  # (1, frames)
        if not sounds.any():
            return
        levels = [10 * power.clamp(min=floor).log10() for power in (_power(output), wanted)]
        apart = (levels[0] - levels[1]).square().mean(dim=-2).sqrt()
        self.distance += apart[sounds].double().sum()
        self.frames += sounds.sum()

    def compute(self) -> Tensor:
        """The mean so far, dB; NaN if the target was silent in every frame."""
        return (self.distance / self.frames).float()


def _power(signal: Tensor) -> Tensor:
    """(1, samples) -> (1, bins, frames)."""
    window = torch.hann_window(WINDOW_SAMPLES, device=signal.device, dtype=signal.dtype)
    spectrum = torch.stft(
        signal, WINDOW_SAMPLES, HOP_SAMPLES, window=window, center=False, return_complex=True
    )
    return spectrum.abs().square()
