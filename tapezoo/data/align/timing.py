"""When every channel of wet happens against dry: the one answer that data modules and `prepare` work with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tapezoo.data.align.channel import Channel, measure_channel
from tapezoo.data.align.shifts import tells_steps
from tapezoo.data.align.trajectory import DelayTrajectory
from tapezoo.data.audio import Audio

SHARED_SAMPLES = 2.0  # on one clock, measured delays of two channels may drift apart by this much


@dataclass(frozen=True)
class Jump:
    """Where a recorder lost or repeated samples.

    Args:
        time_s: Time in wet, in seconds: the middle of the window in which it was located.
        window_s: Width of that window.
        samples: Change of the delay there. Below 0, samples of wet are missing; above 0, there are too many.
    """

    time_s: float
    window_s: float
    samples: float


@dataclass(frozen=True)
class ChannelTiming:
    """One channel of wet against the same channel of dry.

    Args:
        constant_samples: Whole samples of delay that can be taken off: never past the onset of the device's response.
        fraction_samples: Delay of dry beyond that, 0 to 1, where wet was resampled; else 0.
        inverted: Whether wet is upside down.
        confidence: How far the delay stands out from all others; 1 is nothing.
        found: Whether a delay explains the pair at all.
        wander: The whole delay over time, anchored at the device's onset; None where the delay stands still.
        jumps: Lost and repeated samples, also part of `wander`.
        tells_jumps: Whether the programme material could reveal them; sweeps and single tones cannot.
    """

    constant_samples: int
    fraction_samples: float
    inverted: bool
    confidence: float
    found: bool
    wander: DelayTrajectory | None = None
    jumps: tuple[Jump, ...] = ()
    tells_jumps: bool = True


@dataclass(frozen=True)
class PairTiming:
    """All channels of a pair.

    Args:
        channels: One each.
        has_shared_clock: Whether the channels' delays move together, so that one trajectory serves all.
        clock_ratio: Samples of wet per sample of dry: 1 unless a clock drifts or a rate is labelled wrong.
    """

    channels: tuple[ChannelTiming, ...]
    has_shared_clock: bool = True
    clock_ratio: float = 1.0


def measure_timing(dry: Audio, wet: Audio, sample_rate: int) -> PairTiming:
    """Finds the timing of a pair from its own audio.

    Args:
        dry: What went into the device.
        wet: What came out.
        sample_rate: In Hz.

    Shape:
        dry, wet: (channels, samples), the same number of channels, of any two lengths.
    """
    found = [
        measure_channel(own_dry, own_wet, sample_rate) for own_dry, own_wet in zip(dry, wet, strict=True)
    ]
    channels = tuple(
        _timing(channel, sample_rate, tells_steps(own_dry, sample_rate))
        for channel, own_dry in zip(found, dry, strict=True)
    )
    ratios = [channel.clock_ratio for channel in found if channel.constant.found]
    return PairTiming(channels, _share_clock(channels), float(np.median(ratios)) if ratios else 1.0)


def _timing(channel: Channel, sample_rate: int, tells_jumps: bool) -> ChannelTiming:
    constant = channel.constant
    return ChannelTiming(
        constant.correction_samples if constant.found else 0,
        constant.fraction_samples if constant.found else 0.0,
        constant.inverted,
        constant.confidence,
        constant.found,
        channel.wander,
        tuple(
            Jump(step.at_samples / sample_rate, step.window_samples / sample_rate, step.samples)
            for step in channel.steps
        ),
        tells_jumps,
    )


def _share_clock(channels: tuple[ChannelTiming, ...]) -> bool:
    """Whether the found channels' delays differ by a constant."""
    moving = [channel.wander for channel in channels if channel.found]
    first, *others = moving or [None]
    for other in others:
        if (first is None) != (other is None):
            return False
        if first is not None and other is not None:
            apart = other.at_times(first.times_s) - first.delay_samples
            if float(np.subtract(*np.percentile(apart, (95, 5)))) > SHARED_SAMPLES:
                return False
    return True
