"""The distance between the noise of output and target over a whole set."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torchmetrics.utilities import dim_zero_cat

from tapezoo.metrics.sampled import SampledMetric

WINDOW_S = 0.2  # Hann, half overlapping: bins of 5 Hz, two in the lowest band
LOWEST_BAND, HIGHEST_BAND = -13, 12  # third octaves from 50 Hz to 16 kHz, 1 kHz 10^(band / 10) (IEC 61260-1)
QUIET_SHARE = 0.1
WINDOWS_AT_ONCE = 256  # bounds memory: a whole recording can be one row
FLOOR_DB = -120.0  # re full scale, in a band: what is quieter is silence


class NoiseSpectrumDistance(SampledMetric):
    """RMS difference in dB of the spectra, in third octaves, of output and target where the target is quietest.

    The powers in third octaves from 50 Hz to 16 kHz (under half the rate) are averaged over the quietest tenth of the
    target's windows of 0.2 s, in the whole set; the levels of both are compared band by band, a hum as much as the
    hiss. Powers under -120 dB re full scale count as -120. Where the set has pauses, the target's own noise stands in
    these windows; else it is the quietest music. Windows in which the target is digital silence are left out: no
    machine played there.

    Args:
        sample_rate: Hz, 8000 or more.

    Raises:
        MetricError: A lower rate.
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    title = "noise_spectrum"
    share: ClassVar[float] = QUIET_SHARE
    """Of the windows, the target's quietest ones, which are compared."""
    least_rate_hz = 8000
    least_s = 2.0  # ten windows
    powers: list[Tensor]  # each (windows, 2, bands), of output and target
    seconds: Tensor
    window: Tensor
    bands: Tensor

    def __init__(self, sample_rate: int) -> None:
        super().__init__(sample_rate)
        samples = 2 * round(WINDOW_S * sample_rate / 2)
        window = torch.hann_window(samples)
        self.add_state("powers", default=[], dist_reduce_fx="cat")
        self.add_state("seconds", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.register_buffer("window", window, persistent=False)
        hertz = torch.fft.rfftfreq(samples, 1 / sample_rate, dtype=torch.float64)
        numbers = [
            number
            for number in range(LOWEST_BAND, HIGHEST_BAND + 1)
            if _hertz(number + 0.5) <= sample_rate / 2
        ]
        masks = [(hertz >= _hertz(number - 0.5)) & (hertz < _hertz(number + 0.5)) for number in numbers]
        # a factor of two: the bins hold half of what is real
        scale = 2 / (samples * float(window.square().sum()))
        self.register_buffer("bands", scale * torch.stack(masks, dim=-1).float(), persistent=False)

    @classmethod
    def judged_s(cls, rows_s: Sequence[float]) -> float:
        """All rows of a window or more together, s."""
        return sum(length for length in rows_s if length >= WINDOW_S)

    def update(self, output: Tensor, target: Tensor) -> None:
        """Adds one row (1, samples); rows shorter than a window are left out."""
        samples = len(self.window)
        if target.shape[-1] < samples:
            return
        self.seconds += target.shape[-1] / self.sample_rate
        pair = torch.stack([output.reshape(-1), target.reshape(-1)]).float()
        frames = pair.unfold(-1, samples, samples // 2)  # (2, windows, samples)
        for some in torch.split(frames, WINDOWS_AT_ONCE, dim=1):
            power = torch.fft.rfft(some * self.window).abs().square() @ self.bands
            self.powers.append(power.transpose(0, 1))

    def compute(self) -> Tensor:
        """The distance so far, dB; NaN if the target is digital silence, a row not finite, or there are under 2 s."""
        if self.seconds < self.least_s:
            return torch.tensor(torch.nan)
        powers = dim_zero_cat(self.powers)
        least = 10 ** (FLOOR_DB / 10)
        loudness = powers[:, 1].sum(dim=-1)
        powers, loudness = powers[~(loudness < least)], loudness[~(loudness < least)]
        if not len(powers) or not powers.isfinite().all():
            return torch.tensor(torch.nan)
        judged = loudness.argsort()[: math.ceil(self.share * len(loudness))]
        levels = 10 * powers[judged].double().mean(dim=0).clamp(min=least).log10()
        return (levels[0] - levels[1]).square().mean().sqrt().float()


class LongTermSpectrumDistance(NoiseSpectrumDistance):
    """RMS difference in dB of the long-term average spectra (LTAS), in third octaves, of output and target.

    As `NoiseSpectrumDistance`, of all windows: the balance of bass and treble over the whole set.

    Args:
        sample_rate: Hz, 8000 or more.

    Raises:
        MetricError: A lower rate.
    """

    title = "ltas"
    share = 1.0


def _hertz(number: float) -> float:
    return float(1000 * 10 ** (number / 10))
