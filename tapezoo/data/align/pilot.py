"""A pilot: a pulse train or tone on another track of the same tape, which shows the delay whatever the music is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.ndimage import uniform_filter1d

Real = NDArray[np.float64]
Channel = NDArray[np.floating[Any]]

LOOK_S = 8.0  # how much of a channel is examined
LOWEST_PULSES_HZ, HIGHEST_PULSES_HZ = 20.0, 500.0
LOWEST_TONE_HZ = 500.0
SHORT_ENERGY = 0.7  # share of a pulse train's energy within a fifth of its period
EVEN = 0.4  # energy of the weakest pulses over that of the typical one
TONE_ENERGY = 0.7  # a tone's share of all energy above LOWEST_TONE_HZ


@dataclass(frozen=True)
class PulseTrain:
    """Equally spaced short pulses.

    Args:
        period_samples: Distance from one pulse to the next.
    """

    period_samples: float


@dataclass(frozen=True)
class Tone:
    """A sine.

    Args:
        frequency_hz: Its frequency.
    """

    frequency_hz: float


Pilot = PulseTrain | Tone


def detect_pilot(channel: Channel, sample_rate: int) -> Pilot | None:
    """Which pilot a channel holds, as it was played or as it came back; None where it holds something else.

    Shape:
        channel: (samples,).
    """
    samples = min(len(channel), round(LOOK_S * sample_rate))
    start = (len(channel) - samples) // 2
    own = np.asarray(channel[start : start + samples], dtype=np.float64)
    own = own - own.mean()
    if samples < sample_rate // 4 or not own.any():
        return None
    return _tone(own, sample_rate) or _pulse_train(own, sample_rate)


def _tone(own: Real, sample_rate: int) -> Tone | None:
    spectrum = np.abs(rfft(own * np.hanning(len(own)))) ** 2
    bin_hz = sample_rate / len(own)
    spectrum[: int(LOWEST_TONE_HZ / bin_hz)] = 0
    peak = int(np.argmax(spectrum))
    # 0.3 % wow spreads the tone to both sides
    width = max(4, round(0.004 * peak))
    near = slice(max(0, peak - width), peak + width + 1)
    if spectrum[near].sum() < TONE_ENERGY * spectrum.sum() or peak < 1:
        return None
    block = round(0.05 * sample_rate)
    loud = np.sqrt(np.mean(own[: len(own) // block * block].reshape(-1, block) ** 2, axis=1))
    sounding = loud[loud > 0.25 * loud.max()]
    if len(sounding) < len(loud) / 2 or np.percentile(sounding, 10) < 0.7 * np.percentile(sounding, 90):
        return None  # a musical note
    bins = np.arange(len(spectrum))[near]
    return Tone(float(np.sum(bins * spectrum[near]) / spectrum[near].sum() * bin_hz))


def _pulse_train(own: Real, sample_rate: int) -> PulseTrain | None:
    raw = own
    own = np.diff(own)  # suppresses hum, which is not a pulse
    fft_samples = next_fast_len(2 * len(own), real=True)
    height = np.abs(own)
    height -= height.mean()
    alike = irfft(np.abs(rfft(height, fft_samples)) ** 2, fft_samples)[: len(own) // 2]
    alike /= alike[0] * (1 - np.arange(len(alike)) / len(own)) + 1e-30
    low, high = int(sample_rate / HIGHEST_PULSES_HZ), int(sample_rate / LOWEST_PULSES_HZ)
    smooth = np.convolve(alike, np.ones(3), "same")  # flutter spreads a peak over its neighbours
    band = smooth[low : high + 1]
    if not len(band):
        return None
    period = low + int(np.argmax(band >= 0.9 * band.max()))
    period += int(np.argmax(smooth[period : period + 8]))
    # over many periods the fraction of the period shows
    exact = float(period)
    for periods in (8, 64):
        around = round(exact * periods)
        if around + 3 < len(alike):
            exact = (around - 3 + int(np.argmax(smooth[around - 3 : around + 4]))) / periods
    # removes hum; differentiating would turn a sawtooth into pulses
    flat = raw - uniform_filter1d(raw, period)
    return PulseTrain(exact) if _has_pulses(np.square(flat), exact, sample_rate) else None


def _has_pulses(energy: Real, period: float, sample_rate: int) -> bool:
    """Whether each period holds one pulse, at the same phase as in the neighbouring periods, and nothing else."""
    phases = 50
    periods = max(4, round(sample_rate / period))  # one second: a transport moves slowly enough for that
    table = []
    phase = (np.arange(len(energy)) % period / period * phases).astype(int)
    turn = (np.arange(len(energy)) / period).astype(int)
    for first in range(0, int(len(energy) / period) - periods, periods):
        here = (turn >= first) & (turn < first + periods)
        folded = np.zeros((periods, phases))
        np.add.at(folded, (turn[here] - first, phase[here]), energy[here])
        peak = int(np.argmax(folded.sum(axis=0)))
        folded = np.roll(folded, phases // 2 - peak, axis=1)
        pulses = folded[:, phases // 2 - 4 : phases // 2 + 5].sum(axis=1)
        table.append(
            (pulses.sum() / (folded.sum() + 1e-30), np.percentile(pulses, 5) / (np.median(pulses) + 1e-30))
        )
    if not table:
        return False
    share, evenness = np.median(np.asarray(table), axis=0)
    return bool(share > SHORT_ENERGY and evenness > EVEN)
