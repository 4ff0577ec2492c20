"""How like the noise that is made is to that of the machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance

from tapezoo.measure.third_octaves import third_octaves
from tapezoo.tape.two_samples import LEAST_WINDOWS, compare_windows, mean_and_spread

SILENT = 1e-14  # power in a band: -140 dB

Signal = NDArray[np.float64]


@dataclass(frozen=True)
class Scale:
    """How a noise is looked at.

    Args:
        window_s: Length of a window, s.
        lowest_band: Number of the lowest third octave, see `third_octaves`.
        highest_band: Of the highest.
        reference: What 0 dB is.
    """

    window_s: float
    lowest_band: int
    highest_band: int
    reference: str


NOISE = Scale(0.2, -10, 12, "full scale")  # 100 Hz to 16 kHz
MODULATION = Scale(1.0, -20, -7, "the tone")  # 10 to 200 Hz: bands under them hold one or two bins of 1 Hz


@dataclass(frozen=True)
class NoiseDistance:
    """Of made noise from recorded; NaN where there is too little of it.

    Args:
        scale: How they were looked at.
        frequency_hz: (bands,), middles of third octaves, Hz.
        real_db: (2, bands), level in windows, dB: mean, and spread over the windows.
        made_db: The same of what was made.
        level_db: RMS of what was recorded, dB.
        made_level_db: Of what was made.
        shape: Wasserstein distance of the distributions of the samples, over the standard deviation.
        told_apart: See `compare_windows`.
        copied: Likewise.
        windows: Recorded windows that were compared.
    """

    scale: Scale
    frequency_hz: Signal
    real_db: Signal
    made_db: Signal
    level_db: float
    made_level_db: float
    shape: float
    told_apart: float
    copied: float
    windows: int

    @property
    def level_apart_db(self) -> float:
        """The largest difference of a band's mean level, dB; NaN for fewer than eight windows."""
        return self._apart(0)

    @property
    def spread_apart_db(self) -> float:
        """The largest difference of a band's spread, dB; NaN likewise."""
        return self._apart(1)

    def _apart(self, row: int) -> float:
        if self.windows < LEAST_WINDOWS:
            return np.nan
        return float(np.abs(self.made_db[row] - self.real_db[row]).max())


def compare_noise(
    rests: Sequence[Signal], made: Signal, sample_rate: int, scale: Scale = NOISE
) -> NoiseDistance:
    """Compares windows of recorded noise with windows of what was made.

    Args:
        rests: Without their means, one of a window at least.
        made: (samples,), as long as all of them together or longer.
        sample_rate: Hz.
        scale: How they are looked at.
    """
    window = round(scale.window_s * sample_rate)
    real = np.concatenate([_windows(rest, window) for rest in rests])
    frequency, levels = _levels(real, sample_rate, scale)
    _, made_levels = _levels(_windows(made, window), sample_rate, scale)
    told_apart, copied = compare_windows(levels, made_levels)
    deviation = float(real.std())
    return NoiseDistance(
        scale,
        frequency,
        mean_and_spread(levels),
        mean_and_spread(made_levels),
        20 * float(np.log10(max(deviation, 1e-10))),
        20 * float(np.log10(max(float(made.std()), 1e-10))),
        float(wasserstein_distance(real.ravel(), made[: real.size])) / max(deviation, 1e-10),
        told_apart,
        copied,
        len(real),
    )


def _windows(signal: Signal, window: int) -> Signal:
    count = len(signal) // window
    return signal[: count * window].reshape(count, window)


def _levels(windows: Signal, rate: int, scale: Scale) -> tuple[Signal, Signal]:
    """Middles of the bands, and levels, (windows, bands), dB."""
    taper = np.hanning(windows.shape[1])
    power = (
        np.square(np.abs(np.fft.rfft(windows * taper, axis=1))) * 2 / (len(taper) * np.square(taper).sum())
    )
    hertz = np.fft.rfftfreq(windows.shape[1], 1 / rate).astype(np.float64)
    bands = [third_octaves(row, hertz, scale.lowest_band, scale.highest_band) for row in power]
    return bands[0][0], 10 * np.log10(np.maximum(np.stack([band for _, band in bands]), SILENT))
