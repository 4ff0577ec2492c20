"""By how much a model is later than its machine, over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapezoo.measure.shift import nearest_shift

WINDOW_S = 0.1
QUIETEST = 1e-4  # of the loudest window's energy: below it there is little to compare

Signal = NDArray[np.float64]


@dataclass(frozen=True)
class Lateness:
    """Delay of the output against the target.

    Args:
        start_s: Time of the first sample, s.
        time_s: (windows,), their middles, s.
        late_samples: (windows,), NaN where the target is too quiet.
    """

    start_s: float
    time_s: NDArray[np.float64]
    late_samples: NDArray[np.float64]


def measure_lateness(target: Signal, output: Signal, sample_rate: int, start_s: float = 0.0) -> Lateness:
    """The delay of least squared difference in windows of 0.1 s, half overlapping, at most 32 samples.

    Both are differentiated first: without that the bass, which tells time badly, outweighs all else.

    Args:
        target: (samples,)
        output: (samples,), its latency taken out.
        sample_rate: Hz.
        start_s: Time of the first sample, s.
    """
    window = min(2 * round(WINDOW_S * sample_rate / 2), len(target) - 1)
    starts = np.arange(0, len(target) - window, max(window // 2, 1))
    taper = np.hanning(window)
    pieces = [[taper * np.diff(one[at : at + window + 1]) for one in (target, output)] for at in starts]
    energies = np.array([[float(np.sum(np.square(part))) for part in pair] for pair in pieces]).reshape(-1, 2)
    loudest = energies.max(axis=0, initial=0.0)
    heard = (energies > QUIETEST * loudest).all(axis=1)
    late = [
        -nearest_shift(pair[1], pair[0]) if is_heard else np.nan
        for pair, is_heard in zip(pieces, heard, strict=True)
    ]
    return Lateness(start_s, start_s + (starts + window / 2) / sample_rate, np.asarray(late, np.float64))
