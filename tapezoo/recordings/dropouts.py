"""Dropouts: moments in which wet loses its level although dry goes on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.signal
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from tapezoo.data.audio import Audio
from tapezoo.data.frames import runs_of
from tapezoo.data.least_squares import LinearFilter
from tapezoo.recordings.linear import Real, predictions

FRAME_S = 0.004
AROUND_S = 0.6  # the level around a frame is the median of so long
LONGEST_S = 0.25  # a longer loss is no dropout: a mute, a gate, a compressor
LOST_DB = 9.0  # a compressor takes less in so short a time, and gives it back more slowly
LOUD_DB = 40.0  # frames further below the loudest one are dominated by noise
EXPLAINED = 4.0  # the expected power must exceed the filter's usual error by this factor
LEAST_SHARE = 0.02  # of the frames must be so clear
LEAST_FRAMES = 2
STRANGE_ESR = 0.3  # of the filter: a machine that distorts more has quiet moments of its own


@dataclass(frozen=True)
class Dropout:
    """A short loss of level.

    Args:
        time_s: Where it begins, in wet.
        length_s: How long it lasts.
        depth_db: How much it takes at most.
    """

    time_s: float
    length_s: float
    depth_db: float


def find_dropouts(
    dry: Audio, wet: Audio, filter: LinearFilter, floor: float, sample_rate: int
) -> list[Dropout] | None:
    """Where wet is far below what a linear filter of dry makes expect, for less than a quarter of a second.

    Both are heard above 300 Hz: a dropout takes the highs first, and a low wave is at zero for milliseconds anyway.

    Args:
        dry: (samples,), aligned.
        wet: (samples,).
        filter: The one that makes wet out of dry best.
        floor: The ESR of that filter.
        sample_rate: In Hz.

    Returns:
        None where the filter explains too little of wet to tell.
    """
    if not floor < STRANGE_ESR:
        return None
    size = max(1, round(FRAME_S * sample_rate))
    high_pass = scipy.signal.butter(2, min(300.0, sample_rate / 8), "high", fs=sample_rate, output="sos")
    states = [np.zeros((len(high_pass), 2)) for _ in range(3)]
    frames: list[list[Real]] = [[], [], []]
    for predicted, found in predictions(dry, wet, filter, (1 << 18) // size * size):
        for number, signal in enumerate((predicted, found, found - predicted)):
            heard, states[number] = scipy.signal.sosfilt(high_pass, signal, zi=states[number])
            frames[number].append(
                np.square(heard[: len(heard) // size * size]).reshape(-1, size).mean(axis=1)
            )
    power, level, error = (np.concatenate(own) for own in frames)
    if len(power) < 3:
        return []
    loud = power > max(float(power.max()) * 10 ** (-LOUD_DB / 10), EXPLAINED * float(np.median(error)))
    if (
        np.count_nonzero(loud) < LEAST_SHARE * len(loud)
        or float(error[loud].sum()) > float(power[loud].sum()) / 2
    ):
        return None
    tiny = float(power.max()) * 1e-9
    ratio_db = 10 * np.log10((level + tiny) / (power + tiny))
    usual_db = _usual(ratio_db, loud, round(AROUND_S / FRAME_S))
    lost_db = usual_db - ratio_db
    found_at = []
    for start, stop in runs_of(loud & (lost_db > LOST_DB)):
        length_s = (stop - start) * FRAME_S
        if stop - start >= LEAST_FRAMES and length_s <= LONGEST_S and start > 0 and stop < len(power):
            found_at.append(Dropout(start * FRAME_S, length_s, float(lost_db[start:stop].max())))
    return found_at


def _usual(ratio_db: Real, loud: NDArray[np.bool_], frames: int) -> Real:
    """The median ratio around each frame, of the loud frames alone."""
    usual = np.zeros(len(ratio_db))
    if not loud.any():
        return usual
    places = np.flatnonzero(loud)
    smooth = median_filter(ratio_db[places], size=min(frames, len(places)), mode="nearest")
    return np.asarray(np.interp(np.arange(len(ratio_db)), places, smooth))
