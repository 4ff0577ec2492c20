"""When every channel of wet happens against dry: the one answer that data modules and `prepare` work with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tapezoo.data.align.constant import find_delay
from tapezoo.data.align.trajectory import DelayTrajectory
from tapezoo.data.audio import Audio

MAX_DELAY_S = 0.6  # tape machines with separate heads: about 0.16 s at 7.5 ips, 0.35 s at 3.75


@dataclass(frozen=True)
class Jump:
    """Where a recorder lost or repeated samples.

    Args:
        time_s: When, in the time of wet: the middle of the window it was located to.
        window_s: How wide that window is.
        samples: By how much the delay steps there: below 0 samples of wet are missing, above 0 there are too many.
    """

    time_s: float
    window_s: float
    samples: float


@dataclass(frozen=True)
class ChannelTiming:
    """One channel of wet against the same channel of dry.

    Args:
        constant_samples: Whole samples of delay that can be taken off: never past the onset of the device's response.
        fraction_samples: What dry is delayed by beyond that, 0 to 1, where wet was resampled; else 0.
        inverted: Whether wet is upside down.
        confidence: How far the delay stands out from all others; 1 is nothing.
        found: Whether a delay explains the pair at all.
        wander: The whole delay over time, anchored at the device's onset; None where the delay stands still.
        jumps: Lost and repeated samples, also part of `wander`.
    """

    constant_samples: int
    fraction_samples: float
    inverted: bool
    confidence: float
    found: bool
    wander: DelayTrajectory | None = None
    jumps: tuple[Jump, ...] = ()


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

    Shape:
        dry, wet: (channels, samples), the same number of channels, of any two lengths.
    """
    limit = max(1, round(MAX_DELAY_S * sample_rate))
    channels = []
    for own_dry, own_wet in zip(dry, wet, strict=True):
        found = find_delay(np.asarray(own_dry), np.asarray(own_wet), limit)
        channels.append(
            ChannelTiming(
                found.correction_samples if found.found else 0,
                0.0,
                found.inverted,
                found.confidence,
                found.found,
            )
        )
    return PairTiming(tuple(channels))
