"""Finds the constant delay between dry and wet, on the user's own audio.

Plain cross-correlation picks the wrong lag on tonal or distorted material. Here the cross-spectrum of many
windows is averaged and whitened (generalized cross-correlation: Knapp and Carter, "The generalized
correlation method for estimation of time delay", IEEE Trans. ASSP 24(4), 1976). The weighting is their SCOT:
PHAT where the windows agree, nothing where they do not. So windows confirm one another: noise and distortion
average out, a delay common to all windows stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.ndimage import uniform_filter1d

Real = NDArray[np.float64]
Signal = NDArray[np.floating[Any]]  # of any length: slices of it become float64

WINDOW_SAMPLES = 32768
MAX_WINDOWS = 24
DRIFT_WINDOW_SAMPLES = 16384  # a third of a second: short enough to follow wow below 2 Hz
NEIGHBOUR_SAMPLES = 64  # lags this near the winner belong to it: a filter or a wander of the tape smears it
CONFIDENT = 1.5  # measured on the recordings of PEERS.md: right 1.9 and more, no constant delay 1.3 and less
EDGE_SAMPLES = 4  # how far the leading edge may lie before the peak
DRIFT_SAMPLES = 4.0  # a level-dependent phase (klon) spreads window delays by up to 3 without any movement
MAX_WANDER_SAMPLES = 128


@dataclass(frozen=True)
class Alignment:
    """How wet lies against dry; positive delays: wet comes later.

    Args:
        delay_samples: Estimated delay, with its fraction; of a drifting pair, the middle.
        correction_samples: Whole samples to take off. The leading edge of the device's response, never after
            its peak: a causal model can delay but cannot look ahead.
        confidence: How far the best lag stands out from all others; 1 is nothing.
        inverted: Whether wet is upside down.
        drift_samples: Spread (10th to 90th percentile) of the delay over the file; 0 when steady.
    """

    delay_samples: float
    correction_samples: int
    confidence: float
    inverted: bool
    drift_samples: float

    @property
    def found(self) -> bool:
        """Whether one constant delay explains the pair."""
        return self.confidence >= CONFIDENT


@dataclass(frozen=True)
class _Spectra:
    cross: list[NDArray[np.complex128]]  # one per window, energy-normalized
    dry: Real
    wet: Real
    fft_samples: int


def find_delay(dry: Signal, wet: Signal, max_delay_samples: int) -> Alignment:
    """The delay of `wet` against `dry`, searched over +-`max_delay_samples`.

    Args:
        dry: What went into the device.
        wet: What came out.
        max_delay_samples: Search range in both directions, at least 1.

    Shape:
        dry, wet: (samples,), of any two lengths.
    """
    window_samples = min(WINDOW_SAMPLES, len(dry), len(wet))
    starts = _window_starts(dry, min(len(dry), len(wet)), window_samples)
    spectra = _cross_spectra(dry, wet, starts, window_samples, -max_delay_samples, max_delay_samples)
    lags = 2 * max_delay_samples + 1
    # bins where dry has nothing carry only noise: faded out at -60 dB for finding, kept for the fine peak
    coarse = _correlation(spectra, floor=1e-6)[:lags]
    energy = uniform_filter1d(coarse**2, NEIGHBOUR_SAMPLES // 2 + 1, mode="constant")
    best = int(np.argmax(energy))
    near = slice(max(0, best - NEIGHBOUR_SAMPLES), best + NEIGHBOUR_SAMPLES + 1)
    others = np.delete(energy, near)
    rest = float(others.max()) if others.size else 0.0
    confidence = float(np.sqrt(energy[best] / max(rest, 1e-30)))
    fine = _correlation(spectra, floor=1e-12)[:lags]
    low = max(0, best - NEIGHBOUR_SAMPLES // 2)
    peak = low + int(np.argmax(np.abs(fine[low : best + NEIGHBOUR_SAMPLES // 2 + 1])))
    delay = _refine(fine, peak) - max_delay_samples
    edge = _leading_edge(np.abs(fine), peak) - max_delay_samples
    window_delays = delays_over_time(dry, wet, round(delay))
    drift = _spread(window_delays)
    if drift:
        delay = float(np.median(window_delays))
    return Alignment(
        delay_samples=delay,
        # below three quarters of a sample there is nothing to take off
        correction_samples=0 if abs(delay) < 0.75 else min(edge, round(delay)),
        confidence=min(confidence, 1000.0),
        inverted=bool(fine[peak] < 0),
        drift_samples=drift,
    )


def delays_over_time(dry: Signal, wet: Signal, around_samples: int) -> Real:
    """The delay of each short window whose own best lag is clear, in samples; other windows are left out.

    Args:
        dry: (samples,).
        wet: (samples,).
        around_samples: The search covers this lag +-128 samples.
    """
    window_samples = min(DRIFT_WINDOW_SAMPLES, len(dry), len(wet))
    starts = _window_starts(dry, min(len(dry), len(wet)), window_samples)
    low, high = around_samples - MAX_WANDER_SAMPLES, around_samples + MAX_WANDER_SAMPLES
    spectra = _cross_spectra(dry, wet, starts, window_samples, low, high)
    weight = _weight(spectra, floor=1e-6)
    found = []
    for cross in spectra.cross:
        values = irfft(cross * weight, spectra.fft_samples)[: high - low + 1]
        heights = np.abs(values)
        peak = int(np.argmax(heights))
        others = np.delete(heights, slice(max(0, peak - 16), peak + 17))
        if 0 < peak < high - low and heights[peak] > 2 * float(others.max()):
            found.append(_refine(values, peak) + low)
    return np.asarray(found)


def _window_starts(dry: Signal, length: int, window_samples: int) -> list[int]:
    # the loudest windows tell most: those within 40 dB of the loudest, spread over the file
    grid = np.unique(np.linspace(0, length - window_samples, 4 * MAX_WINDOWS).astype(int))
    if length < 4 * MAX_WINDOWS * window_samples // 2:
        grid = np.unique(
            np.linspace(0, length - window_samples, max(1, 2 * length // window_samples)).astype(int)
        )
    energy = np.array([float(np.var(_cut(dry, start, start + window_samples))) for start in grid])
    loud = grid[energy >= 1e-4 * energy.max()]
    return [
        int(start)
        for start in loud[np.unique(np.linspace(0, len(loud) - 1, MAX_WINDOWS).round().astype(int))]
    ]


def _cross_spectra(
    dry: Signal, wet: Signal, starts: list[int], window_samples: int, low: int, high: int
) -> _Spectra:
    # wet windows reach over the whole lag range, so that no lag is at a disadvantage; lag `low` is index 0
    fft_samples = next_fast_len(2 * window_samples + high - low, real=True)
    taper = np.hanning(window_samples)
    cross = []
    dry_power, wet_power = np.zeros(fft_samples // 2 + 1), np.zeros(fft_samples // 2 + 1)
    for start in starts:
        dry_window = _cut(dry, start, start + window_samples)
        wet_window = _cut(wet, start + low, start + high + window_samples)
        dry_spectrum = rfft((dry_window - dry_window.mean()) * taper, fft_samples)
        wet_spectrum = rfft(wet_window - wet_window.mean(), fft_samples)
        dry_energy = float(np.sum(np.abs(dry_spectrum) ** 2)) + 1e-20
        wet_energy = float(np.sum(np.abs(wet_spectrum) ** 2)) + 1e-20
        cross.append(wet_spectrum * np.conj(dry_spectrum) / np.sqrt(dry_energy * wet_energy))
        dry_power += np.abs(dry_spectrum) ** 2 / dry_energy
        wet_power += np.abs(wet_spectrum) ** 2 / wet_energy
    return _Spectra(cross, dry_power / len(starts), wet_power / len(starts), fft_samples)


def _cut(signal: Signal, start: int, stop: int) -> Real:
    # silence where the signal has not begun or is over
    inside = np.asarray(signal[max(0, start) : max(0, stop)], dtype=np.float64)
    before = min(max(0, -start), stop - start)
    return np.pad(inside, (before, stop - start - before - len(inside)))


def _weight(spectra: _Spectra, floor: float) -> Real:
    weight = spectra.dry / (spectra.dry + floor * spectra.dry.max())
    return np.asarray(weight / np.sqrt(spectra.dry * spectra.wet + 1e-30))


def _correlation(spectra: _Spectra, floor: float) -> Real:
    mean = np.mean(spectra.cross, axis=0)
    return np.asarray(irfft(mean * _weight(spectra, floor), spectra.fft_samples))


def _leading_edge(height: Real, peak: int) -> int:
    # where the whitened response first reaches half its peak: a device's own phase spreads it
    edge = peak
    while edge > max(0, peak - EDGE_SAMPLES) and height[edge - 1] >= 0.5 * height[peak]:
        edge -= 1
    return edge


def _refine(correlation: Real, peak: int) -> float:
    # the top of the band-limited interpolation around the peak; a parabola is off by up to .2 samples
    indices = np.arange(max(0, peak - 64), min(len(correlation), peak + 65))
    around = peak + np.linspace(-1, 1, 101)
    height = np.abs(np.sinc(around[:, None] - indices) @ correlation[indices])
    return float(around[int(np.argmax(height))])


def _spread(delays: Real) -> float:
    if len(delays) < 5:
        return 0.0
    low, high = np.percentile(delays, (10, 90))
    return float(high - low) if high - low > DRIFT_SAMPLES else 0.0
