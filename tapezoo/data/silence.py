"""Silence in training: a small share of rows that are silent in dry and wet is enough, since little is learnt there."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapezoo.data.frames import cut_frames, frame_samples, runs_of
from tapezoo.data.noise import rest_of

SILENT_POWER = 1e-8  # -80 dBFS
BELOW_LOUDEST = 1e-6  # -60 dB, the same limit as for boundaries between splits
NOISE_MARGIN = 4.0  # 6 dB: noise scatters from frame to frame

Stretch = tuple[int, int]
Ints = NDArray[np.int64]


def silent_stretches(dry: NDArray[np.float32], wet: NDArray[np.float32], sample_rate: int) -> list[Stretch]:
    """Where dry is silent and wet is at rest: at -80 dBFS, 60 dB below its loudest, or at its steady noise.

    Wet is not at rest while it still decays or while its mean level still returns to its value in silence.

    Args:
        dry: (samples,).
        wet: (samples,), aligned with dry.
        sample_rate: In Hz.

    Returns:
        First sample, and one past the last, of each stretch of whole frames of 20 ms.
    """
    dry_frames, wet_frames = cut_frames(dry, sample_rate), cut_frames(wet, sample_rate)
    if not dry_frames.peak.size:
        return []
    quiet = dry_frames.peak.astype(np.float64) <= max(
        SILENT_POWER**0.5, float(dry_frames.peak.max()) * BELOW_LOUDEST**0.5
    )
    if not quiet.any():
        return []
    rest = rest_of(dry_frames, wet_frames)
    power = wet_frames.power(rest.level if rest else float(np.median(wet_frames.mean[quiet])))
    noise = (rest.noise_power if rest else None) or 0.0
    at_rest = power <= max(SILENT_POWER, float(power.max()) * BELOW_LOUDEST, NOISE_MARGIN * noise)
    size = frame_samples(sample_rate)
    return [(start * size, stop * size) for start, stop in runs_of(quiet & at_rest)]


@dataclass(frozen=True)
class Pieces:
    """Where the rows of a group of regions may start, and how often each place is to be drawn.

    Args:
        region: Index of the region each piece lies in.
        first: Its first start, a sample of the region.
        starts: How many starts it has, one per sample.
        weight: In samples of audio; rows are drawn in proportion.
        silent_before: Share of the rows that would be silent if every start were drawn alike.
        silent_after: Share that is.
    """

    region: Ints
    first: Ints
    starts: Ints
    weight: NDArray[np.float64]
    silent_before: float = 0.0
    silent_after: float = 0.0


def pieces_of(
    lengths: Sequence[int], silent: Sequence[Sequence[Stretch]], row_samples: int, silent_share: float
) -> Pieces:
    """The starts of all rows, those of silent rows drawn so seldom that they are at most a given share.

    With no more silence than that, or nothing else, every region is one piece.

    Args:
        lengths: Of the regions, in samples, each at least `row_samples`.
        silent: Silent stretches of each region, in order.
        row_samples: Burn-in and segment; a row is silent where all of it is.
        silent_share: Largest share of silent rows, 0..1.
    """
    region, first, starts, weight, is_silent = [], [], [], [], []
    for number, (length, stretches_) in enumerate(zip(lengths, silent, strict=True)):
        count = length - row_samples + 1
        edges = [0]
        for start, stop in stretches_:
            if stop - start >= row_samples:
                edges += [start, stop - row_samples + 1]
        edges.append(count)
        for index, (low, high) in enumerate(itertools.pairwise(edges)):
            if high > low:
                region.append(number)
                first.append(low)
                starts.append(high - low)
                weight.append(length * (high - low) / count)
                is_silent.append(index % 2 == 1)
    weights, quiet = np.array(weight), np.array(is_silent)
    total, silence = float(weights.sum()), float(weights[quiet].sum())
    before = silence / total
    if before <= silent_share or silence == total:
        whole = np.arange(len(lengths))
        counts = np.asarray(lengths) - row_samples + 1
        return Pieces(
            whole, np.zeros_like(whole), counts, np.asarray(lengths, dtype=np.float64), before, before
        )
    weights[quiet] *= silent_share / (1 - silent_share) * (total - silence) / silence
    kept = weights > 0
    regions, firsts, counts = (np.array(column, dtype=np.int64)[kept] for column in (region, first, starts))
    return Pieces(regions, firsts, counts, weights[kept], before, silent_share)
