"""Where training ends and validation and test begin: by time, at a silence; never by shuffled chunks."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tapezoo.data.streams import BLOCK_SAMPLES, blocks

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
Regions = dict[Split, tuple[int, int]]  # split -> first sample, one past the last

TRAIN_SHARE, VAL_SHARE = 0.8, 0.1  # the rest is test
FRAME_S = 0.02  # a frame that is silent on its own: shorter than any pause worth cutting in
SEARCH_SHARE = 0.04  # of the file, to each side of the nominal boundary, but at most
SEARCH_MAX_S = 3.0
SILENCE_BELOW_PEAK_DB = 60.0


def split_by_time(dry: NDArray[np.float32], sample_rate: int) -> Regions:
    """80/10/10 in the order of time, each boundary moved into a silence of `dry` if there is one near.

    Shares are of what lies between the first and the last sound, so that no split is all silence. They depend
    on `dry` alone, so pairs that share a dry file share the boundaries: nothing used in training comes back
    in validation at another control setting.

    Args:
        dry: (samples,) or (channels, samples); silent where every channel is.
        sample_rate: In Hz.
    """
    length = dry.shape[-1]
    silence = _silence(dry)
    sounding = [
        (first * BLOCK_SAMPLES + int(found[0]), first * BLOCK_SAMPLES + int(found[-1]))
        for first, block in enumerate(blocks(dry, BLOCK_SAMPLES))
        if (found := np.flatnonzero(_loudest(block) > silence)).size
    ]
    begin, end = (sounding[0][0], sounding[-1][1] + 1) if sounding else (0, length)
    reach = int(min(SEARCH_SHARE * (end - begin), SEARCH_MAX_S * sample_rate))
    nominal = [begin + round((end - begin) * share) for share in (TRAIN_SHARE, TRAIN_SHARE + VAL_SHARE)]
    first, second = (move_into_silence(dry, sample_rate, boundary, reach, silence) for boundary in nominal)
    if not any((_loudest(block) > silence).any() for block in blocks(dry[..., first:second])):
        first, second = nominal  # both moved into the same silence
    return {"train": (0, first), "val": (first, second), "test": (second, length)}


def move_into_silence(
    dry: NDArray[np.float32], sample_rate: int, nominal: int, reach_samples: int, silence: float
) -> int:
    """The middle of the silent frame nearest to `nominal`; `nominal` itself where all is loud.

    Args:
        dry: (samples,) or (channels, samples).
        sample_rate: In Hz.
        nominal: Where the boundary would lie.
        reach_samples: How far it may move to each side.
        silence: The magnitude that silence stays below.
    """
    frame = max(1, round(FRAME_S * sample_rate))
    low, high = max(0, nominal - reach_samples), min(dry.shape[-1], nominal + reach_samples)
    count = (high - low) // frame
    if count < 1:
        return nominal
    frames = _loudest(dry[..., low : low + count * frame]).reshape(count, frame)
    silent = frames.max(axis=1) <= silence
    if not silent.any():
        return nominal
    middles = low + np.arange(count) * frame + frame // 2
    candidates = middles[silent]
    return int(candidates[np.argmin(np.abs(candidates - nominal))])


def _silence(dry: NDArray[np.float32]) -> float:
    peak = max(float(_loudest(block).max()) for block in blocks(dry))
    return peak * 10 ** (-SILENCE_BELOW_PEAK_DB / 20)


def _loudest(signal: NDArray[np.float32]) -> NDArray[np.float32]:
    loudest: NDArray[np.float32] = np.abs(signal).reshape(-1, signal.shape[-1]).max(axis=0)
    return loudest


def shift_regions(regions: Regions, taken_samples: int, length: int) -> Regions:
    """The same regions after `taken_samples` were cut off the front and the end was cut to `length`."""
    moved: Regions = {}
    for split, (start, stop) in regions.items():
        start, stop = max(0, start - taken_samples), min(length, stop - taken_samples)
        if stop > start:
            moved[split] = (start, stop)
    return moved
