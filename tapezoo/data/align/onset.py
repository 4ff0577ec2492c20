"""Where a device's response begins: the most delay that can be taken off without robbing a causal model.

The peak of a response and its group delay come after its onset, by three samples for a fourth-order low-pass at
5 kHz. What counts is how recent a sample of dry a causal filter needs. Least squares answers that for all lags at
once: with the columns of the normal equations in order from late lags to early ones, the triangular solve of the
Cholesky factorisation gives how much each earlier lag reduces the error (Golub and Van Loan, "Matrix Computations",
4.2).
Before the onset this is only noise; at the onset it rises.

Where noise or distortion hides the foot of a slow rise, the measured magnitude bounds it: no causal response is
earlier than the minimum-phase one of its magnitude (Oppenheim and Schafer, "Discrete-Time Signal Processing", 5.6).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.signal
from numpy.typing import NDArray
from scipy.fft import irfft, rfft

from tapezoo.compiled import compiled
from tapezoo.data.align.correlation import cut, spaced

Real = NDArray[np.float64]
Signal = NDArray[np.floating[Any]]

SECTION_SAMPLES = 32768
SECTIONS = 6
EARLY_SAMPLES, LATE_SAMPLES = 160, 240  # lags before and after the peak, and four times the rise
LONGEST_RISE_SAMPLES = 256  # no filter rises more slowly; cost grows with the cube
RIDGE = 1e-11  # relative to dry's power: below the resolution of 24 bits
EARLIER_FROM = 0.3  # share of the early lags that only measure how high noise reaches
RISES = 4.0  # a lag counts when it reduces the error this many times more than any before it
COUNTS = 1e-9  # of wet's energy: smaller reductions of the error do not matter
CERTAIN = 1e5  # this far above all earlier lags it is the first tap: one after a hidden tap is smaller
QUIET = 1e-13  # of wet's energy: smaller values are rounding errors
SEGMENT_SAMPLES = 4096
LEAST_COHERENCE = 0.3
HEARD = 0.01  # of the remaining error
RISE_MARGIN = 0.75  # of the minimum-phase delay found, because noise may have hidden part of it
LONGEST_INNOVATION_SAMPLES = 16
SHARP = 0.3  # of its highest value: here the innovation of dry counts as arrived


@dataclass(frozen=True)
class Onset:
    """The beginning of a response.

    Args:
        lag_samples: The latest lag that does not come after any part of the response.
        is_certain: True where it stands clear of noise, False where it is a bound.
        before_peak: By how much lags before the peak reduce the error, as a share of wet's energy.
    """

    lag_samples: int
    is_certain: bool
    before_peak: float


def measure_onset(dry: Signal, wet: Signal, peak_samples: int, fraction_samples: float = 0.0) -> Onset:
    """The onset of the response from dry to wet near a lag.

    Args:
        dry: (samples,).
        wet: (samples,), of any length.
        peak_samples: Where the whitened response peaks.
        fraction_samples: Dry is delayed by this first, 0 to 1.
    """
    undone_peak, rise_samples = least_delay(dry, wet, peak_samples)
    room = 4 * min(rise_samples, LONGEST_RISE_SAMPLES)
    early, late = EARLY_SAMPLES + room, LATE_SAMPLES + room
    gains, innovation = _gains(dry, wet, peak_samples - early, peak_samples + late, fraction_samples)
    first = round(EARLIER_FROM * early)
    highest = np.maximum.accumulate(gains)
    earlier = np.maximum(highest[:-1], QUIET)
    counts = (gains[1:] > RISES * earlier) & (gains[1:] > COUNTS)
    counts[: first - 1] = False
    found = int(np.argmax(counts)) + 1 if counts.any() else early
    found = min(found, early)
    lag = peak_samples - early + found
    is_certain = bool(gains[found] > CERTAIN * max(float(gains[:found].max()), QUIET))
    if not is_certain:
        beginning = innovation[:LONGEST_INNOVATION_SAMPLES]
        resolution = int(np.argmax(beginning >= SHARP * beginning.max()))
        margin = math.ceil(RISE_MARGIN * rise_samples) + 1 if rise_samples else 0
        lag = min(lag, undone_peak - margin) - resolution
        if lag < 0 <= peak_samples:  # probably no delay at all, unless the lags between matter
            between = gains[max(0, lag - peak_samples + early) : early - peak_samples]
            if between.sum() <= HEARD * (1 - gains.sum()):
                lag = 0
    return Onset(lag, is_certain, float(gains[:early].sum()))


def least_delay(dry: Signal, wet: Signal, peak_samples: int) -> tuple[int, int]:
    """Where the response peaks once its minimum phase is undone, and how much earlier that is than the original peak.

    Both whitened, over the frequencies at which wet follows dry.

    Args:
        dry: (samples,).
        wet: (samples,).
        peak_samples: The response peaks near this lag.
    """
    length = min(len(dry), len(wet))
    samples = min(SECTION_SAMPLES, length)
    segment = min(SEGMENT_SAMPLES, samples)
    cross: Real | NDArray[np.complex128] = np.zeros(segment + 1, complex)
    dry_power, wet_power = np.zeros(segment + 1), np.zeros(segment + 1)
    taper = np.hanning(segment)
    for start in spaced(dry, length, samples, SECTIONS):
        pair = (
            cut(dry, start, start + samples),
            cut(wet, start + peak_samples, start + peak_samples + samples),
        )
        scale = float(pair[1] @ pair[1])
        if scale <= 0:
            continue
        frames = [
            np.lib.stride_tricks.sliding_window_view(side - side.mean(), segment)[:: segment // 2] * taper
            for side in pair
        ]
        x, y = (rfft(frame, 2 * segment, axis=1) for frame in frames)
        cross = cross + np.sum(y * np.conj(x), axis=0) / scale
        dry_power += np.sum(np.abs(x) ** 2, axis=0) / scale
        wet_power += np.sum(np.abs(y) ** 2, axis=0) / scale
    size = np.abs(cross)
    whitened = size / np.sqrt(dry_power * wet_power + 1e-300)
    heard = (whitened**2 > LEAST_COHERENCE) & (dry_power > 1e-9 * dry_power.max())
    if heard.sum() < 16:
        return peak_samples, 0
    magnitude = scipy.signal.medfilt(np.log(size[heard] / dry_power[heard]), 9)
    bins = np.arange(segment + 1)
    cepstrum = irfft(np.interp(bins, bins[heard], magnitude), 2 * segment)
    cepstrum[1:segment] *= 2
    cepstrum[segment + 1 :] = 0
    phase = np.imag(rfft(cepstrum))
    turned = np.where(heard, whitened * cross / np.maximum(size, 1e-300), 0)
    own = _highest(irfft(turned, 2 * segment))
    begins = _highest(irfft(turned * np.exp(-1j * phase), 2 * segment))
    return peak_samples + begins, max(0, own - begins, -begins)


def _highest(values: Real) -> int:
    peak = int(np.argmax(np.abs(values)))
    return peak if peak < len(values) // 2 else peak - len(values)


def _gains(dry: Signal, wet: Signal, low: int, high: int, fraction: float) -> tuple[Real, Real]:
    """By how much each lag from `low` to `high` reduces the error beyond all later lags, as a share of wet's energy.

    Also the innovation: the reductions that a response of one sample at `low` would give.
    """
    length = min(len(dry), len(wet))
    samples = min(SECTION_SAMPLES, length)
    lags = high - low + 1
    normal, projection, energy = np.zeros((lags, lags)), np.zeros(lags), 0.0
    for start in spaced(dry, length, samples, SECTIONS):
        target = cut(wet, start, start + samples)
        target -= target.mean()
        scale = float(target @ target)
        if scale <= 0:
            continue
        past = _delayed_by(dry, start - high, start + samples - low, fraction)
        past -= past.mean()
        means = _means(past, samples)
        first = scipy.signal.correlate(past, past[:samples], "valid", method="fft")
        normal += (_covariance(past, first, samples) - samples * np.outer(means, means)) / scale
        projection += scipy.signal.correlate(past, target, "valid", method="fft") / scale
        energy += 1.0
    # column 0 is the latest lag
    normal[np.diag_indices(lags)] += max(RIDGE * float(np.trace(normal)) / lags, 1e-300)
    factor = scipy.linalg.cholesky(normal, lower=True, check_finite=False)
    parts = scipy.linalg.solve_triangular(factor, projection, lower=True, check_finite=False)
    return parts[::-1] ** 2 / max(energy, 1.0), np.abs(factor[-1, ::-1])


def _means(past: Real, samples: int) -> Real:
    total = np.concatenate([[0.0], np.cumsum(past)])
    return np.asarray((total[samples:] - total[:-samples]) / samples)


def _delayed_by(dry: Signal, start: int, stop: int, fraction: float) -> Real:
    if not fraction:
        return cut(dry, start, stop)
    room = 128
    taps = np.sinc(np.arange(-room, room + 1) - fraction) * np.kaiser(2 * room + 1, 10.0)
    return np.asarray(scipy.signal.oaconvolve(cut(dry, start - room, stop + room), taps, "valid"))


@compiled
def _covariance(past: Real, first: Real, samples: int) -> NDArray[np.float64]:
    """Products of all pairs of columns `past[j : j + samples]`, computed from the products with column 0."""
    lags = first.size
    products = np.empty((lags, lags))
    for j in range(lags):
        products[0, j] = first[j]
        products[j, 0] = first[j]
    for i in range(lags - 1):
        for j in range(i, lags - 1):
            value = products[i, j] + past[samples + i] * past[samples + j] - past[i] * past[j]
            products[i + 1, j + 1] = value
            products[j + 1, i + 1] = value
    return products
