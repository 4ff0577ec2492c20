"""A tape's transport on a render: the output read along a delay that wanders, block by block."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapezoo.data.align.trajectory import DelayTrajectory
from tapezoo.devices.transport import read_delayed
from tapezoo.render.soundfiles import Interleaved

REACH_SAMPLES = 32  # no interpolation reads further around a sample
SURVEY_SAMPLES = 1 << 13


@dataclass(frozen=True)
class Wander:
    """A delay around where it starts: output `n` is the effect at `n - at(n)`, whose constant part is left out.

    Args:
        trajectory: The whole delay, over the time of a recorded wet signal.
    """

    trajectory: DelayTrajectory

    @property
    def constant_samples(self) -> int:
        """Whole samples that are left out: a recorded wet signal is this much later than the output."""
        return round(float(self.trajectory.delay_samples[0]))

    def at(self, start: int, stop: int) -> NDArray[np.float64]:
        """The remaining delay at samples of the output; negative: early."""
        constant = self.constant_samples
        return self.trajectory.at(start + constant, stop + constant) - constant

    def span(self, samples: int) -> tuple[int, int]:
        """How far ahead of the output and how far behind it the effect is read at most, in a file of this length."""
        least, most = 0.0, 0.0
        for start in range(0, samples, SURVEY_SAMPLES):
            left = self.at(start, min(start + SURVEY_SAMPLES, samples))
            least, most = min(least, float(left.min())), max(most, float(left.max()))
        return math.ceil(-least), math.ceil(most)

    def read(self, blocks: Iterable[Interleaved], samples: int, channels: int) -> Iterator[Interleaved]:
        """The signal at `n - at(n)` as it comes along; silence before and after it.

        It holds as much of the signal as the delay spans, whatever its length; the output is as long as the input.

        Args:
            blocks: The signal.
            samples: Its length.
            channels: How many it has.
        """
        ahead, behind = self.span(samples)
        held = np.zeros((0, channels))
        first = done = 0  # the sample at held[0]; how many have gone
        for block in blocks:
            held = np.concatenate((held, block))
            heard = first + len(held)
            stop = samples if heard >= samples else max(done, heard - ahead - REACH_SAMPLES)
            if stop == done:
                continue
            delay = self.at(done, stop) - (done - first)  # counted from held[0]
            yield np.stack([read_delayed(np.ascontiguousarray(channel), delay) for channel in held.T], axis=1)
            done = stop
            dropped = max(0, done - behind - REACH_SAMPLES - first)
            held, first = held[dropped:], first + dropped
