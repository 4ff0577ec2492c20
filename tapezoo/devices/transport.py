"""Wow and flutter: the replay time varies, and the signal is interpolated between its samples.

Reading a signal at a time-varying delay follows Chowdhury's delay line (DAFx 2019); the rates are those
measured on reel-to-reel machines (wow near 0.5 and 2.7 Hz, flutter near 8 Hz, and a random part below 20 Hz).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import signal as scipy_signal

from tapezoo.compiled import compiled

# rate in Hz, and share of the variance of the speed
_LINES = ((0.5, 0.25), (2.7, 0.25), (8.0, 0.3))
_RANDOM_SHARE = 0.2
_RANDOM_BELOW_HZ = 20.0
_TAPS = 32  # windowed sinc; the error on a 10 kHz tone at 44.1 kHz is below -90 dB
_PHASES = 512  # table rows per sample, with linear interpolation between rows


def replay_delay(
    samples: int, sample_rate: int, speed_deviation_percent: float, seed: int
) -> NDArray[np.float64]:
    """Delay of the replayed signal in samples, around 0; its slope is the relative speed deviation.

    Args:
        samples: Length of the signal.
        sample_rate: In Hz.
        speed_deviation_percent: Root mean square of the speed's deviation, unweighted, in percent.
        seed: Seed of the phases and of the random part.

    Shape:
        (samples,).
    """
    random = np.random.default_rng([seed, 1])
    time_s = np.arange(samples) / sample_rate
    rms = speed_deviation_percent / 100.0
    delay_s = np.zeros(samples)
    for rate_hz, share in _LINES:
        amplitude = rms * math.sqrt(2.0 * share) / (2.0 * np.pi * rate_hz)
        delay_s += amplitude * np.sin(2.0 * np.pi * (rate_hz * time_s + random.random()))
    return delay_s * sample_rate + _wander(samples, sample_rate, rms * math.sqrt(_RANDOM_SHARE), random)


def _wander(
    samples: int, sample_rate: int, speed_rms: float, random: np.random.Generator
) -> NDArray[np.float64]:
    """Random delay in samples; its slope is 0.5 to 20 Hz noise with a given RMS. Computed at 200 Hz."""
    rate_hz = 200.0
    points = int(samples / sample_rate * rate_hz) + 8
    settling = 400  # two seconds, after which the high-pass has settled
    band = scipy_signal.butter(2, [0.5, _RANDOM_BELOW_HZ], btype="bandpass", fs=rate_hz, output="sos")
    # the band-passed noise's variance is the energy of the filter's impulse response
    response = scipy_signal.sosfilt(band, np.eye(1, 4000)[0])
    noise = random.standard_normal(points + settling)
    speed = speed_rms * scipy_signal.sosfilt(band, noise)[settling:] / math.sqrt(float(response @ response))
    delay_s = np.cumsum(speed) / rate_hz
    delay_s -= delay_s.mean()
    return np.interp(np.arange(samples) / sample_rate, np.arange(points) / rate_hz, delay_s) * sample_rate


def _sinc_table() -> NDArray[np.float64]:
    """Kaiser-windowed sinc for _PHASES + 1 fractions of a sample; each row sums to 1."""
    fraction = np.arange(_PHASES + 1)[:, None] / _PHASES
    offset = np.arange(_TAPS)[None, :] - (_TAPS // 2 - 1) - fraction
    window = np.i0(10.0 * np.sqrt(np.maximum(1.0 - (offset / (_TAPS / 2)) ** 2, 0.0))) / np.i0(10.0)
    table = np.sinc(offset) * window
    return np.asarray(table / table.sum(axis=1, keepdims=True), dtype=np.float64)


@compiled
def _read(
    signal: NDArray[np.float64], delay: NDArray[np.float64], table: NDArray[np.float64]
) -> NDArray[np.float64]:
    output = np.zeros(delay.size)
    phases, taps = table.shape[0] - 1, table.shape[1]
    for n in range(delay.size):
        position = n - delay[n]
        whole = math.floor(position)
        row = (position - whole) * phases
        low = min(int(row), phases - 1)
        blend = row - low
        first = int(whole) - (taps // 2 - 1)
        total = 0.0
        for i in range(max(0, -first), min(taps, signal.size - first)):
            weight = table[low, i] + blend * (table[low + 1, i] - table[low, i])
            total += weight * signal[first + i]
        output[n] = total
    return output


def read_delayed(signal: NDArray[np.float64], delay_samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """`signal` read `delay_samples` earlier at each sample, by windowed sinc; silence outside the signal.

    Shape:
        signal (samples,), delay_samples (samples,) -> (samples,).
    """
    return _read(signal, delay_samples, _sinc_table())
