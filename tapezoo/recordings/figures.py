"""Everything that is measured on one channel of a laid pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapezoo.data.align.constant import delays_over_time
from tapezoo.data.align.trajectory import DelayTrajectory
from tapezoo.data.audio import Audio
from tapezoo.data.delays import read_along
from tapezoo.data.frames import FRAME_S, cut_frames
from tapezoo.data.noise import rest_of
from tapezoo.data.streams import energy
from tapezoo.esr import esr
from tapezoo.recordings.dropouts import Dropout, find_dropouts
from tapezoo.recordings.hum import Hum, find_hum
from tapezoo.recordings.levels import Clipping, Levels, find_clipping, measure_levels
from tapezoo.recordings.linear import fitted_filter, fitted_floor
from tapezoo.recordings.scratch import Scratch

SOUNDING = 1e-3  # peak of a frame: -60 dBFS


@dataclass(frozen=True)
class ChannelFigures:
    """The figures of one channel's audio, after delay, polarity and offset were corrected.

    Args:
        gain_db: RMS of wet over RMS of dry.
        sounding_s: How long dry is above -60 dBFS.
        dry_levels: Of dry.
        wet_levels: Of wet.
        dry_clipping: Of dry.
        wet_clipping: Of wet, as it was recorded.
        wet_peak_recorded: Highest magnitude of wet as it was recorded, its constant offset included.
        wet_unclipped_s: How long wet is above -60 dBFS without a clipped sample within 20 ms.
        noise_power: Mean square of wet's noise, measured where dry is silent; None where it cannot be measured.
        noise_at_most: Upper bound of the noise: the power of wet's quietest moments.
        wet_power: Mean square of wet.
        wet_samples: As they were recorded.
        hum: Of the mains in wet.
        dropouts: Short losses of level; None where they cannot be told.
        delay_left_samples: From the 5th to the 95th percentile of the delay that windows of a third of a second
            still show; None where too few windows show one.
        floor: ESR of the best filter of 257 taps, fitted to this recording, only the constant delay taken off.
        floor_without_wander: The same with dry warped along the trajectory; None without one.
        dry_centroid_hz: Centre of dry's mean power spectrum: what kind of material it is.
    """

    gain_db: float
    sounding_s: float
    dry_levels: Levels
    wet_levels: Levels
    dry_clipping: Clipping
    wet_clipping: Clipping
    wet_peak_recorded: float
    wet_unclipped_s: float
    noise_power: float | None
    noise_at_most: float
    wet_power: float
    wet_samples: int
    hum: Hum | None
    dropouts: tuple[Dropout, ...] | None
    delay_left_samples: float | None
    floor: float
    floor_without_wander: float | None
    dry_centroid_hz: float

    @property
    def best_esr(self) -> float | None:
        """What a model without noise reaches at best; None where the noise cannot be told."""
        return None if self.noise_power is None else esr(self.noise_power, self.wet_power)

    @property
    def linear_floor(self) -> float:
        """ESR of the best linear filter, read along the trajectory if there is one."""
        return self.floor if self.floor_without_wander is None else self.floor_without_wander


def measure_channel(
    dry: Audio,
    wet: Audio,
    recorded_wet: Audio,
    trajectory: DelayTrajectory | None,
    sample_rate: int,
    scratch: Scratch,
) -> ChannelFigures:
    """Measures one channel.

    Args:
        dry: (samples,).
        wet: (samples,), laid over dry.
        recorded_wet: (samples of the file,), as it was recorded: clipping is seen before anything is corrected.
        trajectory: The delay that is left; None: none.
        sample_rate: In Hz.
        scratch: For what is too long for memory.
    """
    recorded_peaks, clipping = cut_frames(recorded_wet, sample_rate).peak, find_clipping(recorded_wet)
    dry_frames, wet_frames = cut_frames(dry, sample_rate), cut_frames(wet, sample_rate)
    dry_energy, wet_energy = energy(dry), energy(wet)
    filter = fitted_filter(dry, wet)
    floor = fitted_floor(dry, wet, filter)
    heard, floor_without = dry, None
    if trajectory is not None:
        heard = read_along(dry, trajectory.at, 0, len(wet), scratch.folder)
        filter = fitted_filter(heard, wet)
        floor_without = fitted_floor(heard, wet, filter)
    rest = rest_of(dry_frames, wet_frames)
    noise_power = rest.noise_power if rest else None
    quiet = wet_frames.variance[wet_frames.variance > 0]  # a frame that is clipped throughout is not quiet
    left = delays_over_time(heard, wet, 0)
    lost = find_dropouts(heard, wet, filter, floor if floor_without is None else floor_without, sample_rate)
    return ChannelFigures(
        gain_db=float(10 * np.log10(max(wet_energy, 1e-20) / max(dry_energy, 1e-20))),
        sounding_s=float(np.count_nonzero(dry_frames.peak > SOUNDING)) * FRAME_S,
        dry_levels=measure_levels(dry, dry_frames),
        wet_levels=measure_levels(wet, wet_frames),
        dry_clipping=find_clipping(dry),
        wet_clipping=clipping,
        wet_peak_recorded=float(recorded_peaks.max(initial=0.0)),
        wet_unclipped_s=_between(recorded_peaks, SOUNDING, clipping.lowest_level),
        noise_power=noise_power,
        noise_at_most=float(np.quantile(quiet, 0.02)) if len(quiet) else 0.0,
        wet_power=wet_energy / len(wet),
        wet_samples=len(recorded_wet),
        hum=find_hum(heard, wet, filter, sample_rate),
        dropouts=None if lost is None else tuple(lost),
        delay_left_samples=float(np.ptp(np.quantile(left, (0.05, 0.95)))) if len(left) >= 3 else None,
        floor=floor,
        floor_without_wander=floor_without,
        dry_centroid_hz=_centroid_hz(dry, sample_rate),
    )


def _between(peaks: NDArray[np.float32], low: float, high: float) -> float:
    """For how many seconds the peaks of frames are above `low` and below `high`."""
    return float(np.count_nonzero((peaks > low) & (peaks < high * (1 - 1e-6)))) * FRAME_S


def _centroid_hz(signal: Audio, sample_rate: int) -> float:
    size = 1 << 12
    starts = np.linspace(0, max(0, len(signal) - size), 24).astype(int)
    power = np.zeros(size // 2 + 1)
    for start in np.unique(starts):
        part = signal[start : start + size].astype(np.float64)
        power += np.abs(np.fft.rfft(part * np.hanning(len(part)), size)) ** 2
    frequency_hz = np.fft.rfftfreq(size, 1 / sample_rate)
    return float(power @ frequency_hz / max(float(power.sum()), 1e-30))
