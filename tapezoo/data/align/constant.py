"""Finds the constant delay between dry and wet, on the user's own audio: the best lag, then the onset before it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft
from scipy.ndimage import uniform_filter1d

from tapezoo.data.align.correlation import Real, Signal, correlation, cross_spectra, refine, spaced, weight
from tapezoo.data.align.onset import measure_onset

WINDOW_SAMPLES = 32768
MAX_WINDOWS = 24
DRIFT_WINDOW_SAMPLES = 16384  # a third of a second: short enough to follow wow below 2 Hz
NEIGHBOUR_SAMPLES = 64  # lags this near the best one belong to it: filters and tape wander smear the peak
CONFIDENT = 1.5  # measured: correct delays have 1.9 or more, pairs without a constant delay 1.3 or less
LEAST_FRACTION = 0.02  # a sharp response nearer than this to a whole sample needs no resampling
SHARPENED = 20.0  # factor by which resampling must reduce the share of the error that earlier lags explain
DRIFT_SAMPLES = 4.0  # a level-dependent phase (klon) spreads window delays by up to 3 without any movement
MAX_WANDER_SAMPLES = 128


@dataclass(frozen=True)
class Alignment:
    """The delay of wet against dry; positive: wet is later.

    Args:
        delay_samples: Estimated delay, with its fraction; the median for a drifting pair.
        correction_samples: Whole samples to take off: the onset of the device's response, or earlier where
            noise hides the onset. A causal model can delay but cannot look ahead.
        fraction_samples: How far to delay dry beyond the correction, 0 to 1 samples, where wet is dry resampled by a
            fraction of a sample (the response is then a sinc, half of which precedes any onset). 0 where the device
            is a filter, which the model learns itself.
        confidence: How far the best lag stands out from all others; 1: not at all.
        inverted: Whether wet is upside down.
        drift_samples: Spread (10th to 90th percentile) of the delay over the file; 0 when steady.
    """

    delay_samples: float
    correction_samples: int
    fraction_samples: float
    confidence: float
    inverted: bool
    drift_samples: float

    @property
    def found(self) -> bool:
        """Whether one constant delay explains the pair."""
        return self.confidence >= CONFIDENT


@dataclass(frozen=True)
class Peak:
    """The best constant lag, before its onset and its drift are measured.

    Args:
        delay_samples: Where the response peaks, with its fraction; positive: wet is later.
        confidence: How far this lag stands out from all others; 1: not at all.
        inverted: Whether wet is upside down.
    """

    delay_samples: float
    confidence: float
    inverted: bool


def find_delay(dry: Signal, wet: Signal, max_delay_samples: int) -> Alignment:
    """The delay of `wet` against `dry`, searched over +-`max_delay_samples`.

    Args:
        dry: What went into the device.
        wet: What came out.
        max_delay_samples: Search range in both directions, at least 1.

    Shape:
        dry, wet: (samples,), of any two lengths.
    """
    return measured_at(dry, wet, find_peak(dry, wet, max_delay_samples))


def find_peak(dry: Signal, wet: Signal, max_delay_samples: int) -> Peak:
    """The lag at which wet follows dry best: a fraction of the work of `find_delay`, enough to compare candidates.

    Args:
        dry: (samples,).
        wet: (samples,), of any length.
        max_delay_samples: Search range in both directions, at least 1.
    """
    length = min(len(dry), len(wet))
    window_samples = min(WINDOW_SAMPLES, length)
    starts = spaced(dry, length, window_samples, MAX_WINDOWS)
    spectra = cross_spectra(dry, wet, starts, window_samples, -max_delay_samples, max_delay_samples)
    lags = 2 * max_delay_samples + 1
    # bins where dry has nothing carry only noise: faded out at -60 dB for finding, kept for the fine peak
    coarse = correlation(spectra, floor=1e-6)[:lags]
    energy = uniform_filter1d(coarse**2, NEIGHBOUR_SAMPLES // 2 + 1, mode="constant")
    best = int(np.argmax(energy))
    near = slice(max(0, best - NEIGHBOUR_SAMPLES), best + NEIGHBOUR_SAMPLES + 1)
    others = np.delete(energy, near)
    rest = float(others.max()) if others.size else 0.0
    confidence = float(np.sqrt(energy[best] / max(rest, 1e-30)))
    fine = correlation(spectra, floor=1e-12)[:lags]
    low = max(0, best - NEIGHBOUR_SAMPLES // 2)
    peak = low + int(np.argmax(np.abs(fine[low : best + NEIGHBOUR_SAMPLES // 2 + 1])))
    return Peak(refine(fine, peak) - max_delay_samples, min(confidence, 1000.0), bool(fine[peak] < 0))


def measured_at(dry: Signal, wet: Signal, peak: Peak) -> Alignment:
    """The alignment at that lag: what of it can be taken off, and how far the delay drifts.

    Args:
        dry: (samples,).
        wet: (samples,), of any length.
        peak: What `find_peak` found in them.
    """
    delay = peak.delay_samples
    correction, fraction = 0, 0.0
    if peak.confidence >= CONFIDENT:
        correction, fraction = causal_delay(dry, wet, delay)
    window_delays = delays_over_time(dry, wet, round(delay))
    drift = _spread(window_delays)
    if drift:
        delay = float(np.median(window_delays))
    return Alignment(
        delay_samples=delay,
        correction_samples=correction,
        fraction_samples=fraction,
        confidence=peak.confidence,
        inverted=peak.inverted,
        drift_samples=drift,
    )


def causal_delay(dry: Signal, wet: Signal, delay_samples: float) -> tuple[int, float]:
    """Whole samples that can be taken off without harming a causal model, and the fraction to delay dry by after that.

    Args:
        dry: (samples,).
        wet: (samples,).
        delay_samples: Where the whitened response peaks, with its fraction.
    """
    whole = measure_onset(dry, wet, round(delay_samples))
    below = int(np.floor(delay_samples))
    fraction = delay_samples - below
    if whole.is_certain or not LEAST_FRACTION < fraction < 1 - LEAST_FRACTION:
        return whole.lag_samples, 0.0
    # a fractional delay responds with a sinc, half of it before the onset; a causal filter does not
    resampled = measure_onset(dry, wet, below, fraction)
    if resampled.before_peak * SHARPENED < whole.before_peak and resampled.lag_samples >= below - 1:
        return below, fraction
    return whole.lag_samples, 0.0


def delays_over_time(dry: Signal, wet: Signal, around_samples: int) -> Real:
    """The delay of each short window whose own best lag is clear, in samples; other windows are left out.

    Args:
        dry: (samples,).
        wet: (samples,).
        around_samples: The search covers this lag +-128 samples.
    """
    window_samples = min(DRIFT_WINDOW_SAMPLES, len(dry), len(wet))
    starts = spaced(dry, min(len(dry), len(wet)), window_samples, MAX_WINDOWS)
    low, high = around_samples - MAX_WANDER_SAMPLES, around_samples + MAX_WANDER_SAMPLES
    spectra = cross_spectra(dry, wet, starts, window_samples, low, high)
    weights = weight(spectra, floor=1e-6)
    found = []
    for cross in spectra.cross:
        values = irfft(cross * weights, spectra.fft_samples)[: high - low + 1]
        heights = np.abs(values)
        peak = int(np.argmax(heights))
        others = np.delete(heights, slice(max(0, peak - 16), peak + 17))
        if 0 < peak < high - low and heights[peak] > 2 * float(others.max()):
            found.append(refine(values, peak) + low)
    return np.asarray(found)


def _spread(delays: Real) -> float:
    if len(delays) < 5:
        return 0.0
    low, high = np.percentile(delays, (10, 90))
    return float(high - low) if high - low > DRIFT_SAMPLES else 0.0
