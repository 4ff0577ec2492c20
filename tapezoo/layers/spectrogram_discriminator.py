"""Small convolutional nets that judge spectrograms: what adversarial training plays against.

Each judges the level in every bin of a short-time spectrum at one resolution, as in UnivNet (Jang, Lim, Yoon, Kim, Kim,
Interspeech 2021), by a score for every patch, as in PatchGAN (Isola, Zhu, Zhou, Efros, CVPR 2017). That several
discriminators look at different resolutions, and that a generator can be compared by what they see inside, is from
HiFi-GAN (Kong, Kim, Bae, NeurIPS 2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch.nn.utils.parametrizations import weight_norm

WINDOWS_SAMPLES = (256, 512, 1024)
HOPS_PER_WINDOW = 4
FLOOR_DB = -110.0  # re full scale, of white noise: below 16-bit rounding, so that all silence is one level
MIDDLE_DB, SPREAD_DB = -60.0, 30.0  # hiss and music become numbers of about -1 to 1
KERNEL = (5, 3)  # bins, frames
SLOPE = 0.1  # of leaky_relu, as in HiFi-GAN


class Judgement(NamedTuple):
    """What one discriminator says of a batch.

    Args:
        scores: (batch, 1, bands, frames), one for each patch; training draws it to 1 for recordings, to 0 for outputs.
        features: (batch, channels, bands, frames) of every layer but the last.
    """

    scores: Tensor
    features: list[Tensor]


def levels_db(signal: Tensor, window: Tensor) -> Tensor:
    """The level in every bin of a short-time spectrum, where white noise has its RMS level, dB re full scale.

    Args:
        signal: (batch, 1, samples), at least a window.
        window: (window_samples,); the hop is a quarter of it.

    Shape:
        returns: (batch, bins, frames).
    """
    samples = window.shape[-1]
    spectrum = torch.stft(
        signal[:, 0], samples, samples // HOPS_PER_WINDOW, window=window, center=False, return_complex=True
    )
    power = (spectrum.real.square() + spectrum.imag.square()) / window.square().sum()
    # added, not clamped: silence still has a gradient
    return 10 * torch.log10(power + 10 ** (FLOOR_DB / 10))


class SpectrogramDiscriminator(nn.Module):
    """Convolutions over a level spectrogram at one resolution.

    The same kernels judge all frequencies. A second input channel, a trained number for every bin, says which frequency
    they are at: the level of hiss is right or wrong at a frequency.

    Args:
        window_samples: Hann window and FFT, 16 or more; the hop is a quarter of it.
        channels: Of every layer, 1 or more.
        layers: Convolutions, 2 or more; all but the last halve the number of bins.
    """

    window: Tensor

    def __init__(self, window_samples: int, channels: int = 8, layers: int = 4) -> None:
        super().__init__()
        if window_samples < 16 or channels < 1 or layers < 2:
            raise ValueError(
                f"a window of {window_samples} samples, {channels} channels, {layers} layers; 16, 1, 2 or more"
            )
        self.window_samples = window_samples
        self.register_buffer("window", torch.hann_window(window_samples), persistent=False)
        self.frequency = nn.Parameter(torch.linspace(-1.0, 1.0, window_samples // 2 + 1))
        widths = [2] + [channels] * (layers - 1)
        padding = (KERNEL[0] // 2, KERNEL[1] // 2)
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(before, after, KERNEL, stride=(2, 1), padding=padding))
            for before, after in pairwise(widths)
        )
        self.head = weight_norm(nn.Conv2d(channels, 1, 3, padding=1))

    def forward(self, signal: Tensor) -> Judgement:
        """Judges (batch, 1, samples), at least a window."""
        levels = (levels_db(signal, self.window) - MIDDLE_DB) / SPREAD_DB
        frequency = self.frequency[:, None].expand_as(levels)
        hidden, features = torch.stack([levels, frequency], dim=1), []
        for layer in self.layers:
            hidden = leaky_relu(layer(hidden), SLOPE)
            features.append(hidden)
        return Judgement(self.head(hidden), features)


class MultiResolutionDiscriminator(nn.Module):
    """Discriminators side by side, one for each resolution.

    Args:
        windows_samples: Of each; see `SpectrogramDiscriminator`.
        channels: Of each.
        layers: Of each.
    """

    def __init__(
        self, windows_samples: Sequence[int] = WINDOWS_SAMPLES, channels: int = 8, layers: int = 4
    ) -> None:
        super().__init__()
        self.judges = nn.ModuleList(
            SpectrogramDiscriminator(window, channels, layers) for window in windows_samples
        )
        self.min_samples = max(windows_samples)

    def forward(self, signal: Tensor) -> list[Judgement]:
        """Judges (batch, 1, samples), at least `min_samples`."""
        return [judge(signal) for judge in self.judges]
