"""Generalized cross-correlation of two recordings, averaged over windows.

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

Real = NDArray[np.float64]
Signal = NDArray[np.floating[Any]]  # of any length: slices of it become float64


@dataclass(frozen=True)
class Spectra:
    """Cross-spectra of windows; index 0 of their inverse transforms is the lag `low`.

    Args:
        cross: One per window, energy-normalized.
        dry: Mean power of dry's windows.
        wet: Mean power of wet's.
        fft_samples: Length of the transforms.
    """

    cross: list[NDArray[np.complex128]]
    dry: Real
    wet: Real
    fft_samples: int


def cross_spectra(
    dry: Signal, wet: Signal, starts: list[int], window_samples: int, low: int, high: int
) -> Spectra:
    """Windows of dry against wet, for lags from `low` to `high`.

    Args:
        dry: (samples,).
        wet: (samples,).
        starts: First samples of the windows, in dry.
        window_samples: Length of a window.
        low: Earliest lag.
        high: Latest lag.
    """
    # wet's windows cover the whole range of lags, so that no lag is at a disadvantage
    fft_samples = next_fast_len(2 * window_samples + high - low, real=True)
    taper = np.hanning(window_samples)
    cross = []
    dry_power, wet_power = np.zeros(fft_samples // 2 + 1), np.zeros(fft_samples // 2 + 1)
    for start in starts:
        dry_window = cut(dry, start, start + window_samples)
        wet_window = cut(wet, start + low, start + high + window_samples)
        dry_spectrum = rfft((dry_window - dry_window.mean()) * taper, fft_samples)
        wet_spectrum = rfft(wet_window - wet_window.mean(), fft_samples)
        dry_bins, wet_bins = _power(dry_spectrum), _power(wet_spectrum)
        dry_energy, wet_energy = float(np.sum(dry_bins)) + 1e-20, float(np.sum(wet_bins)) + 1e-20
        cross.append(wet_spectrum * (np.conj(dry_spectrum) / np.sqrt(dry_energy * wet_energy)))
        dry_power += dry_bins / dry_energy
        wet_power += wet_bins / wet_energy
    return Spectra(cross, dry_power / len(starts), wet_power / len(starts), fft_samples)


def _power(spectrum: NDArray[np.complex128]) -> Real:
    return np.asarray(spectrum.real**2 + spectrum.imag**2)  # np.abs would take a root that is squared again


def weight(spectra: Spectra, floor: float) -> Real:
    """SCOT's weights; bins where dry lies below `floor` of its highest power are faded out."""
    faded = spectra.dry / (spectra.dry + floor * spectra.dry.max())
    return np.asarray(faded / np.sqrt(spectra.dry * spectra.wet + 1e-30))


def correlation(spectra: Spectra, floor: float) -> Real:
    """The whitened correlation of all windows together."""
    mean = np.mean(spectra.cross, axis=0)
    return np.asarray(irfft(mean * weight(spectra, floor), spectra.fft_samples))


def spaced(dry: Signal, length: int, window_samples: int, most: int) -> list[int]:
    """Where up to `most` windows begin, spread over the windows within 40 dB of the loudest one.

    Args:
        dry: (samples,).
        length: Length of the part to choose from, in samples.
        window_samples: Length of a window, at most `length`.
        most: Largest number of windows.
    """
    grid = np.unique(np.linspace(0, length - window_samples, 4 * most).astype(int))
    if length < 4 * most * window_samples // 2:
        grid = np.unique(
            np.linspace(0, length - window_samples, max(1, 2 * length // window_samples)).astype(int)
        )
    energy = np.array([float(np.var(cut(dry, start, start + window_samples))) for start in grid])
    loud = grid[energy >= 1e-4 * energy.max()]
    return [int(start) for start in loud[np.unique(np.linspace(0, len(loud) - 1, most).round().astype(int))]]


def cut(signal: Signal, start: int, stop: int) -> Real:
    """`signal[start:stop]` in double precision, with zeros outside the signal."""
    inside = np.asarray(signal[max(0, start) : max(0, stop)], dtype=np.float64)
    before = min(max(0, -start), stop - start)
    own = np.zeros(stop - start)
    own[before : before + len(inside)] = inside
    return own


def refine(values: Real, peak: int) -> float:
    """The top of the band-limited interpolation around a peak; a parabola would be off by up to 0.2 samples."""
    indices = np.arange(max(0, peak - 64), min(len(values), peak + 65))
    around = peak + np.linspace(-1, 1, 101)
    height = np.abs(np.sinc(around[:, None] - indices) @ values[indices])
    top = int(np.clip(np.argmax(height), 1, len(around) - 2))
    left, middle, right = height[top - 1 : top + 2]
    bend = left - 2 * middle + right
    return float(around[top] + (0.01 * (left - right) / bend if bend < 0 else 0.0))
