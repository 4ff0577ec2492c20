"""Lays wet over dry: the delay cut off, polarity and constant offset corrected, dead silence at both ends left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tapezoo.data.align.timing import ChannelTiming, PairTiming
from tapezoo.data.align.trajectory import DelayTrajectory
from tapezoo.data.audio import Audio
from tapezoo.data.delays import read_along
from tapezoo.data.frames import cut_frames
from tapezoo.data.noise import rest_of
from tapezoo.data.silence import silent_stretches
from tapezoo.data.streams import deviation, release
from tapezoo.recordings.scratch import Scratch, spans

KEPT_SILENCE_S = 1.0  # at either end: the noise of the machine is measured in it
DC_LEVEL = 1e-5  # -100 dBFS: smaller offsets are left as they are


@dataclass(frozen=True)
class Laying:
    """How wet was laid over dry; every tuple has one value per channel.

    Args:
        trajectories: The delay that is left, over the time of what was written; None: none is left.
        constants_samples: The delay that was cut off.
        fractions_samples: What dry was delayed by beyond it, by resampling.
        turned: Whether wet was turned over.
        dc: The constant offset that was taken off wet as it was recorded, full scale is 1.
        dc_in_silence: Whether the offset was measured where dry is silent; else it is the mean of wet.
        trimmed_s: Dead silence left out at the beginning and at the end.
        start_samples: Where in the recorded wet the written one begins.
    """

    trajectories: tuple[DelayTrajectory | None, ...]
    constants_samples: tuple[int, ...]
    fractions_samples: tuple[float, ...]
    turned: tuple[bool, ...]
    dc: tuple[float, ...]
    dc_in_silence: bool
    trimmed_s: tuple[float, float]
    start_samples: tuple[int, ...]


@dataclass(frozen=True)
class Laid:
    """A pair whose channels start together.

    Args:
        dry: What went into the machine.
        wet: What came out, turned over where it was inverted, without its constant offset.
        laying: How that came about.

    Shape:
        dry, wet: (channels, samples).
    """

    dry: Audio
    wet: Audio
    laying: Laying


def lay(
    dry: Audio, wet: Audio, timing: PairTiming, sample_rate: int, keep_polarity: bool, scratch: Scratch
) -> Laid:
    """Applies what was measured.

    Args:
        dry: (channels, samples).
        wet: (channels, samples), of any length.
        timing: Of all channels; each was found.
        sample_rate: In Hz.
        keep_polarity: An inverted wet stays inverted.
        scratch: For what is too long for memory.
    """
    constants = [constant_of(channel) for channel in timing.channels]
    wet_starts, dry_starts = [max(0, cut) for cut in constants], [max(0, -cut) for cut in constants]
    length = min(
        min(wet.shape[1] - wet_start, dry.shape[1] - dry_start)
        for wet_start, dry_start in zip(wet_starts, dry_starts, strict=True)
    )
    fractions = [
        0.0 if channel.wander is not None else channel.fraction_samples for channel in timing.channels
    ]
    aligned_dry = _shifted(dry, dry_starts, length, scratch)
    aligned_wet = _shifted(wet, wet_starts, length, scratch)
    if any(fractions):
        aligned_dry = _delayed(aligned_dry, fractions, scratch)
    first, last = _sounding(aligned_dry, aligned_wet, sample_rate)
    offsets = [_offset(*channels, sample_rate) for channels in zip(aligned_dry, aligned_wet, strict=True)]
    dc = [level if abs(level) > DC_LEVEL else 0.0 for level, _ in offsets]
    turned = [channel.inverted and not keep_polarity for channel in timing.channels]
    aligned_dry, aligned_wet = aligned_dry[:, first:last], aligned_wet[:, first:last]
    if any(turned) or any(dc):
        aligned_wet = _corrected(aligned_wet, dc, turned, scratch)
    trajectories = tuple(
        None
        if channel.wander is None
        else moved(channel.wander, wet_start + first, constant, (last - first) / sample_rate)
        for channel, wet_start, constant in zip(timing.channels, wet_starts, constants, strict=True)
    )
    laying = Laying(
        trajectories,
        tuple(constants),
        tuple(fractions),
        tuple(turned),
        tuple(dc),
        all(in_silence for _, in_silence in offsets),
        (first / sample_rate, (length - last) / sample_rate),
        tuple(start + first for start in wet_starts),
    )
    return Laid(aligned_dry, aligned_wet, laying)


def constant_of(channel: ChannelTiming) -> int:
    """Whole samples to cut off; for a wandering delay at most its smallest value."""
    if channel.wander is None:
        return channel.constant_samples
    return min(channel.constant_samples, math.floor(float(channel.wander.delay_samples.min())))


def moved(
    trajectory: DelayTrajectory, start_samples: int, constant_samples: int, length_s: float
) -> DelayTrajectory:
    """The trajectory of what is left after a cut.

    Args:
        trajectory: Over the time of wet before the cut.
        start_samples: Of wet that were cut off its front.
        constant_samples: Of delay that the cut took off.
        length_s: Of what is left.
    """
    times = trajectory.times_s - start_samples / trajectory.sample_rate
    inside = (times > 0) & (times < length_s)
    ends = trajectory.at_times(np.array([0.0, length_s]) + start_samples / trajectory.sample_rate)
    sure = np.interp((0.0, length_s), times, trajectory.confidence)
    return replace(
        trajectory,
        times_s=np.concatenate(([0.0], times[inside], [length_s])),
        delay_samples=np.concatenate((ends[:1], trajectory.delay_samples[inside], ends[1:]))
        - constant_samples,
        confidence=np.concatenate((sure[:1], trajectory.confidence[inside], sure[1:])),
    )


def _shifted(audio: Audio, starts: Sequence[int], length: int, scratch: Scratch) -> Audio:
    if len(set(starts)) == 1:
        return audio[:, starts[0] : starts[0] + length]
    together = scratch.array(len(audio), length)
    for own, channel, start in zip(together, audio, starts, strict=True):
        for begin, end in spans(length):
            own[begin:end] = channel[start + begin : start + end]
    return together


def _delayed(audio: Audio, fractions: Sequence[float], scratch: Scratch) -> Audio:
    late = scratch.array(*audio.shape)
    for own, channel, fraction in zip(late, audio, fractions, strict=True):
        if not fraction:
            own[:] = channel
            continue
        trajectory = DelayTrajectory(np.zeros(1), np.array([fraction]), np.ones(1), 1)
        own[:] = read_along(channel, trajectory.at, 0, len(own), scratch.folder)
    return late


def _sounding(dry: Audio, wet: Audio, sample_rate: int) -> tuple[int, int]:
    """First sample, and one past the last, without the dead silence at both ends beyond one second."""
    length = dry.shape[1]
    kept = round(KEPT_SILENCE_S * sample_rate)
    first, last = length, 0
    for own_dry, own_wet in zip(dry, wet, strict=True):
        stretches = silent_stretches(own_dry, own_wet, sample_rate)
        starts_silent = bool(stretches) and stretches[0][0] == 0
        # samples after the last whole frame belong to the silence before them
        ends_silent = bool(stretches) and stretches[-1][1] > length - round(0.02 * sample_rate) - 1
        first = min(first, stretches[0][1] if starts_silent else 0)
        last = max(last, stretches[-1][0] if ends_silent else length)
    if last <= first:
        return 0, length
    return max(0, first - kept), min(length, last + kept)


def _offset(dry: Audio, wet: Audio, sample_rate: int) -> tuple[float, bool]:
    rest = rest_of(cut_frames(dry, sample_rate), cut_frames(wet, sample_rate))
    if rest is not None:
        return rest.level, True
    return deviation(wet)[0], False


def _corrected(wet: Audio, dc: Sequence[float], turned: Sequence[bool], scratch: Scratch) -> Audio:
    corrected = scratch.array(*wet.shape)
    for own, channel, level, is_turned in zip(corrected, wet, dc, turned, strict=True):
        for start, stop in spans(len(own)):
            own[start:stop] = (channel[start:stop] - level) * (-1 if is_turned else 1)
        release(corrected)
    return corrected
