"""The gain of a machine over frequency from any input: the linear part of its response."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal as scipy_signal

from tapezoo.measure.playing import play
from tapezoo.net import Net

WINDOW_S = 0.1
BANDS_PER_OCTAVE = 12  # music has energy at discrete lines and little between them
LEAST_COHERENCE = 0.5  # below it the output of a band is mostly distortion or noise, and has no gain
LOWEST_HZ = 20.0
QUIET_DB = 70.0  # more than this below its loudest frequency, the input is too weak to measure with
NOISE_DB, NOISE_S, SETTLE_S = -40.0, 4.0, 0.5


@dataclass(frozen=True)
class Gain:
    """Gain over frequency.

    Args:
        frequency_hz: (bands,), Hz, their middles; each as wide as was asked for, or one bin where that is more.
        gain_db: (bands,), dB.
    """

    frequency_hz: NDArray[np.float64]
    gain_db: NDArray[np.float64]


def gain_between(
    inputs: Sequence[NDArray[np.float64]],
    outputs: Sequence[NDArray[np.float64]],
    sample_rate: int,
    bands_per_octave: int = BANDS_PER_OCTAVE,
) -> Gain:
    """The mean cross spectrum over the mean power of the input, in windows of a tenth of a second.

    The mean over a band is one of powers. Bands are left out in which the input is too quiet to tell, or less than half
    of the output's power follows the input linearly.

    Args:
        inputs: (samples,) each.
        outputs: As long.
        sample_rate: Hz.
        bands_per_octave: 12, or 3 for a few seconds of music through a machine that distorts.
    """
    length = min(round(WINDOW_S * sample_rate), *(len(one) for one in inputs))
    power, heard_power = np.zeros(length // 2 + 1), np.zeros(length // 2 + 1)
    cross = np.zeros(length // 2 + 1, dtype=np.complex128)
    for input, output in zip(inputs, outputs, strict=True):
        settings = {"fs": sample_rate, "nperseg": length, "detrend": False}
        frequency, one = scipy_signal.welch(input, **settings)
        power += len(input) * one
        heard_power += len(input) * scipy_signal.welch(output, **settings)[1]
        cross += len(input) * scipy_signal.csd(input, output, **settings)[1]
    heard = (power > power.max(initial=0.0) * 10 ** (-QUIET_DB / 10)) & (frequency >= LOWEST_HZ)
    frequency, power, cross, heard_power = frequency[heard], power[heard], cross[heard], heard_power[heard]
    band = np.floor(bands_per_octave * np.log2(frequency / LOWEST_HZ)).astype(np.int64)
    names, place = np.unique(band, return_inverse=True)
    passed = np.bincount(place, np.abs(cross) ** 2 / power, len(names))
    given = np.bincount(place, power, len(names))
    middle_hz = np.exp(
        np.bincount(place, np.log(frequency), len(names)) / np.bincount(place, minlength=len(names))
    )
    is_linear = passed >= LEAST_COHERENCE * np.bincount(place, heard_power, len(names))
    return Gain(middle_hz[is_linear], 10 * np.log10(np.maximum(passed[is_linear] / given[is_linear], 1e-20)))


def small_signal_gain(net: Net, sample_rate: int, controls: Sequence[float]) -> Gain:
    """The gain for white noise at -40 dB RMS re full scale, where most machines are linear.

    Args:
        net: The effect; its latency is taken out.
        sample_rate: Of the net, Hz.
        controls: One position 0..1 per control.
    """
    noise = np.random.default_rng(0).standard_normal(round(NOISE_S * sample_rate)) * 10 ** (NOISE_DB / 20)
    begin = round(SETTLE_S * sample_rate)
    output = play(net, noise[None], controls)[0]
    return gain_between([noise[begin:]], [output[begin:]], sample_rate)
