"""The marks at both ends of an excitation, as sound: pairs of chirps, and a code of chirps after the first.

A chirp whose frequency rises exponentially keeps its shape when time is stretched; stretching only shifts its match.
Rising and falling ones shift in opposite directions, so the middle of a pair is where it is at any speed of the
tape. The first pair rises and falls, the last falls and rises; after the first one the design is played, a rising
chirp for each 1 and a falling one for each 0. Only the magnitude of a match is used, so polarity does not matter.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tapezoo.recordings.excitation.design import CODE_BITS, Design, encode

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]

LOW_HZ, HIGH_HZ = 400.0, 9000.0  # a band that a cassette, a pedal and a telephone line mostly pass
PAIR_CHIRP_S, PAIR_SPACING_S = 0.1, 0.12  # length of each of a pair; from start to start
BIT_CHIRP_S, BIT_SPACING_S = 0.04, 0.05
PAIR_S = PAIR_CHIRP_S + PAIR_SPACING_S
CODE_START_S = PAIR_S + 0.05
START_MARK_S = CODE_START_S + (CODE_BITS - 1) * BIT_SPACING_S + BIT_CHIRP_S
END_MARK_S = PAIR_S
LEVEL_DB = -6.0  # peak
_FADE = 0.1  # share of a chirp, at each end


def chirp(seconds: float, sample_rate: float, rising: bool) -> Complex:
    """A faded analytic chirp of magnitude 1; its real part is what is played.

    Args:
        seconds: Length in s.
        sample_rate: In Hz; need not be whole: at another one it is the chirp as a stretched tape has it.
        rising: From 400 Hz to 9 kHz, or back.

    Shape:
        returns: (samples,).
    """
    samples = round(seconds * sample_rate)
    # about the middle of the chirp, whatever the rounding: rising and falling are exact mirrors
    time_s = (np.arange(samples) - (samples - 1) / 2) / sample_rate
    growth = np.log(HIGH_HZ / LOW_HZ) / seconds
    phase = 2 * np.pi * np.sqrt(LOW_HZ * HIGH_HZ) / growth * (np.exp(growth * time_s) - 1)
    edge = np.clip((0.5 - np.abs(time_s) / seconds) / _FADE, 0, 1)
    analytic = np.sin(0.5 * np.pi * edge) ** 2 * np.exp(1j * phase)
    # reversing time reverses the phase's direction too: the conjugate turns forwards again
    return np.asarray(analytic if rising else np.conj(analytic[::-1]))


def start_mark(design: Design, sample_rate: int) -> Real:
    """The pair and the code, (samples,)."""
    mark = np.zeros(round(START_MARK_S * sample_rate) + 1)
    _add(mark, 0.0, PAIR_CHIRP_S, sample_rate, True)
    _add(mark, PAIR_SPACING_S, PAIR_CHIRP_S, sample_rate, False)
    for number, bit in enumerate(encode(design)):
        _add(mark, CODE_START_S + number * BIT_SPACING_S, BIT_CHIRP_S, sample_rate, bit)
    return mark


def end_mark(sample_rate: int) -> Real:
    """The pair that falls and rises, (samples,)."""
    mark = np.zeros(round(END_MARK_S * sample_rate) + 1)
    _add(mark, 0.0, PAIR_CHIRP_S, sample_rate, False)
    _add(mark, PAIR_SPACING_S, PAIR_CHIRP_S, sample_rate, True)
    return mark


def middle_of_pair(sample_rate: int) -> float:
    """From the first sample of a mark to the middle of its pair, in samples: the position of a mark."""
    first = round(PAIR_SPACING_S * sample_rate)
    return (first + round(PAIR_CHIRP_S * sample_rate) - 1) / 2


def _add(mark: Real, start_s: float, seconds: float, sample_rate: int, rising: bool) -> None:
    start = round(start_s * sample_rate)
    sound = chirp(seconds, sample_rate, rising).real
    mark[start : start + len(sound)] += 10 ** (LEVEL_DB / 20) * sound
