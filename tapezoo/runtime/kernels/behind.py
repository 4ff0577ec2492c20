"""What a stream does before and after the net, as compiled loops: the twins of those in library.cpp."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tapezoo.bundle.play import Audio
from tapezoo.compiled import compiled, compiled_freely

Double = NDArray[np.float64]

# columns of the table of settings; a switch is 0 or 1
BLOCKS, POLE, MIXES, MIX, LIMITS, KNEE, CEILING = range(7)


@compiled_freely
def power(samples: Audio) -> float:
    """Mean of squares of (samples,); neither NaN nor infinity hides in it."""
    total = 0.0
    for sample in range(len(samples)):
        total += samples[sample] * samples[sample]
    return total / len(samples)


@compiled
def finish(
    input: Audio, output: Audio, settings: Double, blocked: Double, delayed: Audio, place: NDArray[np.int64]
) -> None:
    """DC blocker, mix and limiter on `output`, in place.

    Args:
        input: What the net was given, (channels, samples).
        output: What it made of that, as `input`.
        settings: See the columns' names.
        blocked: x[n-1] and y[n-1] of each channel's DC blocker, (channels, 2).
        delayed: The last samples of each channel's input, (channels, delay), a ring.
        place: (1,): where in the ring the oldest is.
    """
    channels, samples = input.shape
    delay = delayed.shape[1]
    for channel in range(channels):
        if settings[BLOCKS]:
            pole, before, level = settings[POLE], blocked[channel, 0], blocked[channel, 1]
            gain = (1 + pole) / 2
            for n in range(samples):
                x = float(output[channel, n])
                level = pole * level + gain * (x - before)
                before = x
                output[channel, n] = level
            blocked[channel, 0], blocked[channel, 1] = before, level
        if settings[MIXES]:
            mix, at = settings[MIX], place[0]
            for n in range(samples):
                late = input[channel, n]
                if delay:
                    late, delayed[channel, at] = delayed[channel, at], late
                    at = 0 if at + 1 == delay else at + 1
                output[channel, n] = mix * output[channel, n] + (1 - mix) * late
        if settings[LIMITS]:
            knee, ceiling = settings[KNEE], settings[CEILING]
            room = ceiling - knee
            for n in range(samples):
                size = abs(output[channel, n])
                if size > knee:
                    bent = min(knee + room * math.tanh((size - knee) / room), ceiling)
                    output[channel, n] = math.copysign(bent, output[channel, n])
    if settings[MIXES] and delay:
        place[0] = (place[0] + samples) % delay
