"""A limiter without state and without latency, for the end of a stream."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tapezoo.bundle.play import Audio


@dataclass(frozen=True)
class SoftLimiter:
    """Leaves samples below the knee unchanged and compresses larger ones below the ceiling.

    With the knee k and the ceiling c: `y = x` for |x| <= k, else `sign(x) (k + (c - k) tanh((|x| - k) / (c - k)))`;
    value and slope are continuous at the knee. Latency 0. The limiter of `render` (`tapezoo.render.limiter`) looks
    ahead and distorts less; this one adds no latency in a host.

    Args:
        ceiling_db: Level that is never exceeded, in dBFS.
        knee_db: Level above which it acts, in dBFS, below the ceiling.
    """

    ceiling_db: float = -0.1
    knee_db: float = -3.0

    def __post_init__(self) -> None:
        if not -120 <= self.knee_db < self.ceiling_db <= 24:
            raise ValueError(f"a soft limiter needs -120 <= knee_db < ceiling_db <= 24: {self}")

    @property
    def knee(self) -> float:
        """Level above which it acts; 1 is full scale."""
        return float(10 ** (self.knee_db / 20))

    @property
    def ceiling(self) -> float:
        """Level that is never exceeded; 1 is full scale."""
        return float(10 ** (self.ceiling_db / 20))

    def play(self, rows: Audio) -> Audio:
        """One block of any shape."""
        knee, ceiling = self.knee, self.ceiling
        level = np.abs(rows)
        if not rows.size or level.max() <= knee:
            return rows
        room = ceiling - knee
        bent = knee + room * np.tanh(np.maximum(level - knee, 0) / room)
        # float32 rounding may not lift it over the ceiling
        bent = np.minimum(bent, np.nextafter(np.float32(ceiling), np.float32(0)))
        output: Audio = np.where(level > knee, np.copysign(bent, rows), rows).astype(np.float32)
        return output
