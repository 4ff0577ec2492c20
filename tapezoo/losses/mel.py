"""The distance of log-mel spectrograms at several resolutions."""

from __future__ import annotations

import torch
from torch import Tensor

from tapezoo.losses.base import Loss
from tapezoo.losses.mel_filters import mel_filters

WINDOWS_SAMPLES, BANDS = (512, 1024, 2048), (32, 64, 96)
HOPS_PER_WINDOW = 4
FLOOR_DB = -90.0  # re full scale: 16-bit noise per bin is below it


class MelSTFT(Loss):
    """Mean absolute difference in dB of mel spectrograms, over bands, frames and resolutions.

    Phase is not compared: for nets that make the waveform anew, and beside a loss of waveforms for what is heard. At
    one resolution it is the mel loss of HiFi-GAN (Kong, Kim, Bae, NeurIPS 2020); several resolutions as in DAC (Kumar
    et al., NeurIPS 2023). A band holds the weighted mean power of its bins re that of a full-scale sine in its own bin,
    plus a floor of -90 dB, below which hardly anything is compared. Hann windows with a hop of a quarter; frames lie
    within the block.

    Args:
        windows_samples: Lengths of the windows, each 16 or more.
        bands: Mel bands from 0 Hz to `top_hz` for each window.
        sample_rate: Of the signals, Hz; another one shifts the edges of the bands.
        top_hz: Upper end of the highest band, Hz, at most half the sample rate.

    Raises:
        ValueError: No window, one that is too short, or not one number of bands for each.
        MelFilterError: Bands that a window cannot fill, or above half the sample rate.
    """

    def __init__(
        self,
        windows_samples: list[int] | None = None,
        bands: list[int] | None = None,
        sample_rate: int = 44100,
        top_hz: float = 20000.0,
    ) -> None:
        super().__init__()
        windows = list(WINDOWS_SAMPLES) if windows_samples is None else windows_samples
        counts = list(BANDS) if bands is None else bands
        if not windows or min(windows) < 16 or len(counts) != len(windows):
            raise ValueError(
                f"windows_samples {windows}, bands {counts}; one window or more of 16 samples or more, and one "
                "number of bands for each"
            )
        self.windows_samples, self.min_samples = windows, max(windows)
        for place, (window, count) in enumerate(zip(windows, counts, strict=True)):
            filters = mel_filters(window, count, sample_rate, top_hz)
            hann = torch.hann_window(window)
            scale = 4 / (
                hann.sum().square() * filters.sum(dim=0)
            )  # of a sine: amplitude 1 reads 1 in its bin
            self.register_buffer(f"window_{place}", hann, persistent=False)
            self.register_buffer(f"filters_{place}", filters * scale, persistent=False)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """(batch, 1, samples) twice -> scalar."""
        distances = [
            (self._levels_db(output, place) - self._levels_db(target, place)).abs().mean()
            for place in range(len(self.windows_samples))
        ]
        return torch.stack(distances).mean()

    def _levels_db(self, signal: Tensor, place: int) -> Tensor:
        """(batch, bands, frames)."""
        samples, window = self.windows_samples[place], self.get_buffer(f"window_{place}")
        spectrum = torch.stft(
            signal[:, 0],
            samples,
            samples // HOPS_PER_WINDOW,
            window=window,
            center=False,
            return_complex=True,
        )
        power = spectrum.real.square() + spectrum.imag.square()  # abs has no gradient at 0
        bands = self.get_buffer(f"filters_{place}").T @ power
        return 10 * torch.log10(bands + 10 ** (FLOOR_DB / 10))
