"""What a render did, for people and programs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tapezoo.render.soundfiles import PCM_BITS


@dataclass(frozen=True)
class RenderReport:
    """What `render` did."""

    sample_rate: int  # of input and output, Hz
    net_sample_rate: int  # what the net ran at, Hz; other than `sample_rate`: resampled there and back
    channels: int
    samples: int
    seconds: float
    latency_samples: int  # of the net at its own rate; already taken out of the output
    format: str
    subtype: str
    peak_db: float  # highest sample of the output, dB relative to full scale; -inf for silence
    over_samples: int  # output samples over full scale; a file of integers clips them
    limiter_reduction_db: float  # the most the limiter took away; 0 without one
    speed: float  # seconds of audio per second
    source_note: str = ""  # what was wrong with the source's header, though its audio is whole
    delay_samples: int | None = (
        None  # of a delay that the output is read along: the constant that is left out
    )

    @property
    def is_resampled(self) -> bool:
        """Whether the file's rate is not the net's."""
        return self.sample_rate != self.net_sample_rate

    def __str__(self) -> str:
        """For people, with a warning where the output is over full scale."""
        channels = {1: "mono", 2: "stereo"}.get(self.channels, f"{self.channels} channels")
        parts = [
            f"{self.seconds:.2f} s, {channels}, {self.sample_rate} Hz, {self.format} {self.subtype}",
            f"{self.speed:.1f} times real time",
        ]
        if self.is_resampled:
            parts.append(f"resampled to {self.net_sample_rate} Hz for the model and back")
        if self.latency_samples:
            parts.append(f"the model's latency of {self.latency_samples} samples removed")
        if self.delay_samples is not None:
            parts.append("played along the delay" + _left_out(self.delay_samples))
        if self.limiter_reduction_db > 0:
            parts.append(f"limited by up to {self.limiter_reduction_db:.1f} dB")
        parts.append(f"peak {self.peak_db:.1f} dB" if math.isfinite(self.peak_db) else "digital silence")
        text = "; ".join(parts)
        if self.source_note:
            text += f". Corrected: the source: {self.source_note}"
        if self.over_samples:
            fate = "clipped" if self.subtype in PCM_BITS else "kept in this file, but clipped by a converter"
            text += (
                f". Warning: {self.over_samples} samples over full scale, {fate}: "
                "lower --output-gain-db, or pass --limiter"
            )
        return text


def _left_out(delay_samples: int) -> str:
    if delay_samples == 0:
        return ""
    beside = "later" if delay_samples > 0 else "earlier"
    return f", of which the first {abs(delay_samples)} samples are left out: a recorded wet is that much {beside}"
