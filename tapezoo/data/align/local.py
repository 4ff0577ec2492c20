"""The delay of each short window on its own: the data from which steps, clock drift and wander are told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from tapezoo.data.align.correlation import Real, Signal, cross_spectra, cut, refine, spaced, weight
from tapezoo.data.streams import release

WINDOW_S = 0.186
MOST_WINDOWS = 320  # enough in a long recording to show every lasting step
REACH_S = 0.093
CLEAR = 2.0  # how far a window's best lag must stand above all others
NEAR_S = 0.0004
SPECTRA = 24


@dataclass(frozen=True)
class LocalDelays:
    """Delays of the windows that have a clear best lag.

    Args:
        at_samples: Middle of each window, in samples of wet.
        delay_samples: Delay of each window.
        heard: Number of windows that were loud enough to be searched.
        window_samples: Length of a window.

    Shape:
        at_samples, delay_samples: (clear windows,).
    """

    at_samples: Real
    delay_samples: Real
    heard: int
    window_samples: int

    @property
    def agreement(self) -> float:
        """Share of the loud windows that are clear and lie within about a millisecond of the previous one."""
        if len(self.delay_samples) < 3:
            return 0.0
        near = np.abs(np.diff(self.delay_samples)) <= self.window_samples / 128
        return float(near.sum() / max(1, self.heard - 1))


def local_delays(
    dry: Signal, wet: Signal, sample_rate: int, around_samples: int, reach_s: float = REACH_S
) -> LocalDelays:
    """The delays of windows over the whole recording, searched around one lag.

    Args:
        dry: (samples,).
        wet: (samples,), of any length.
        sample_rate: In Hz.
        around_samples: Middle of the search.
        reach_s: How far the search goes on either side, in seconds.
    """
    first, last = max(0, -around_samples), min(len(dry), len(wet) - around_samples)
    window = min(round(WINDOW_S * sample_rate), last - first)
    if window < 256:
        return LocalDelays(np.zeros(0), np.zeros(0), 0, max(window, 1))
    reach = round(reach_s * sample_rate)
    low, high = around_samples - reach, around_samples + reach
    count = int(np.clip(2 * (last - first) / window, 1, MOST_WINDOWS))
    starts = np.unique(np.linspace(first, last - window, count).astype(int))
    energies = np.array([float(np.var(cut(dry, start, start + window))) for start in starts])
    release(dry)
    loud = starts[energies >= 1e-5 * energies.max()]
    shared = dry[first:last]
    some = [start + first for start in spaced(shared, last - first, window, SPECTRA)]
    weights = weight(cross_spectra(dry, wet, some, window, low, high), floor=1e-6)
    fft_samples = next_fast_len(2 * window + high - low, real=True)
    taper = np.hanning(window)
    near = max(8, round(NEAR_S * sample_rate))
    at, delays = [], []
    for start in loud:
        own_dry, own_wet = cut(dry, start, start + window), cut(wet, start + low, start + high + window)
        cross = rfft(own_wet - own_wet.mean(), fft_samples) * np.conj(
            rfft((own_dry - own_dry.mean()) * taper, fft_samples)
        )
        values = irfft(cross * weights, fft_samples)[: high - low + 1]
        heights = np.abs(values)
        peak = int(np.argmax(heights))
        top = float(heights[peak])
        heights[max(0, peak - near) : peak + near + 1] = 0
        if 0 < peak < high - low and top > CLEAR * float(heights.max()):
            delay = refine(values, peak) + low
            at.append(start + window / 2 + delay)
            delays.append(delay)
    release(wet)
    return LocalDelays(np.asarray(at), np.asarray(delays), len(loud), window)
