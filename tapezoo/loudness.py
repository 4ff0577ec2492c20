"""How loud a sound is: the integrated loudness of ITU-R BS.1770-4, one channel."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import signal as scipy_signal

Signal = NDArray[np.float64]  # (samples,)

BLOCK_S, BLOCK_STEP_S = 0.4, 0.1
ABSOLUTE_GATE_LUFS, RELATIVE_GATE_LU = -70.0, -10.0


def loudness_unit(samples: int, sample_rate: int) -> Literal["LUFS", "dB"]:
    """What `loudness` says of a sound that long: "LUFS", or "dB" (RMS re full scale) under one block of 0.4 s."""
    return "LUFS" if samples >= round(BLOCK_S * sample_rate) else "dB"


def loudness(signal: Signal, sample_rate: int) -> float:
    """Integrated loudness in LUFS after ITU-R BS.1770-4; of sounds under 0.4 s, RMS in dB re full scale.

    One channel, K-weighted; blocks of 0.4 s every 0.1 s; those under -70 LUFS are left out, then those 10 LU
    under the mean of the rest. The filters are the recommendation's at 48 kHz, redesigned for other rates by
    the bilinear transform of the analog ones that give them there (parameters: De Man, AES 145, 2018).

    Args:
        signal: (samples,), finite.
        sample_rate: Hz.

    Returns:
        -inf for silence.
    """
    if loudness_unit(len(signal), sample_rate) == "dB":
        return _db(float(np.mean(np.square(signal)))) if len(signal) else float("-inf")
    return gated_loudness(block_powers(signal, sample_rate))


def block_powers(signal: Signal, sample_rate: int) -> NDArray[np.float64]:
    """Mean square of the K-weighted signal in each whole block of 0.4 s, every 0.1 s; (blocks,).

    Args:
        signal: (samples,), finite; filtered from rest.
        sample_rate: Hz.
    """
    length, step = round(BLOCK_S * sample_rate), round(BLOCK_STEP_S * sample_rate)
    if len(signal) < length:
        return np.zeros(0)
    weighted = scipy_signal.sosfilt(k_weighting(sample_rate), signal)
    total = np.concatenate(([0.0], np.cumsum(np.square(weighted))))
    begins = np.arange(0, len(signal) - length + 1, step)
    powers: NDArray[np.float64] = (total[begins + length] - total[begins]) / length
    return powers


def gated_loudness(powers: NDArray[np.float64]) -> float:
    """The loudness in LUFS of a signal from its `block_powers`; -inf where all are under -70 LUFS."""
    power = powers[powers > 10 ** ((ABSOLUTE_GATE_LUFS + 0.691) / 10)]
    if len(power) == 0:
        return float("-inf")
    power = power[power > power.mean() * 10 ** (RELATIVE_GATE_LU / 10)]
    return -0.691 + _db(float(power.mean()))


def k_weighting(sample_rate: int) -> NDArray[np.float64]:
    """The shelf of the head and the high-pass of BS.1770-4 as second-order sections, (2, 6)."""
    gain = 10 ** (3.999843853973347 / 20)
    middle = gain**0.4996667741545416
    shelf = _bilinear(1681.974450955533, 0.7071752369554196, (1.0, middle, gain), sample_rate)
    high_pass = _bilinear(38.13547087602444, 0.5003270373238773, (0.0, 0.0, 1.0), sample_rate)
    # the recommendation prints the high-pass with the numerator 1, -2, 1
    high_pass[:3] = 1.0, -2.0, 1.0
    return np.stack((shelf, high_pass))


def _bilinear(
    frequency_hz: float, quality: float, powers: tuple[float, float, float], sample_rate: int
) -> NDArray[np.float64]:
    """(p0 + p1 s/Q + p2 s^2) / (1 + s/Q + s^2) with s in units of the prewarped frequency."""
    k = np.tan(np.pi * frequency_hz / sample_rate)
    p0, p1, p2 = powers
    numerator = (
        p2 + p1 * k / quality + p0 * k * k,
        2 * (p0 * k * k - p2),
        p2 - p1 * k / quality + p0 * k * k,
    )
    denominator = (1 + k / quality + k * k, 2 * (k * k - 1), 1 - k / quality + k * k)
    section: NDArray[np.float64] = np.array((*numerator, *denominator)) / denominator[0]
    return section


def _db(power: float) -> float:
    return 10 * float(np.log10(power)) if power > 0 else float("-inf")
