"""Material unlike what a net is trained on, made of stretches of its validation split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, lfilter, resample_poly, sosfilt

from tapezoo.data.module import Row

STRETCHES, STRETCH_S, SILENCE_S = 2, 0.18, 0.09
LOW_PASS_HZ, HIGH_PASS_HZ = 200.0, 2000.0
TILT_POLE = 0.8  # one pole: -14 dB at the top against the bottom, or the reverse
PITCH = (4, 3)  # five semitones
MOST_GAIN = 4.0  # largest gain that brings filtered material back to its level: 12 dB

PLAIN = "plain"
QUIETER = ("20 dB quieter", "40 dB quieter")

Signal = NDArray[np.float32]


@dataclass(frozen=True)
class Material:
    """Every kind of material as rows of one batch: the stretches as they are, then one row of each other kind.

    Args:
        input: What is played.
        controls: Of every row.
        stretches: Which one each row was made of.
        kinds: Of every row; the first ones are `PLAIN`.
        silence_samples: What follows each row.
        sample_rate: Hz.

    Shape:
        input: (rows, samples); controls: (rows, num_controls).
    """

    input: Signal
    controls: NDArray[np.float32]
    stretches: tuple[int, ...]
    kinds: tuple[str, ...]
    silence_samples: int
    sample_rate: int

    @property
    def plain(self) -> int:
        """How many stretches there are: the first rows."""
        return self.kinds.count(PLAIN)


def choose_material(rows: Sequence[Row], sample_rate: int) -> Material:
    """The loudest 0.18 s of two regions, evenly over their order; the kinds are made of them in turn.

    Short, since it is played in every epoch that may be the best; it may take 3 % of the training time.

    Args:
        rows: Of the validation split, one or more.
        sample_rate: Hz.
    """
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(STRETCHES, len(rows))).round().astype(int))
    samples = max(2, round(STRETCH_S * sample_rate))
    made = [_kinds(_loudest(rows[at].input, samples), samples, sample_rate) for at in chosen]
    names = [name for name in made[0] if name != PLAIN]
    taken = [(number, PLAIN) for number in range(len(made))]
    taken += [(number % len(made), name) for number, name in enumerate(names)]
    return Material(
        np.stack([made[number][name] for number, name in taken]).astype(np.float32),
        np.stack([rows[chosen[number]].controls for number, _ in taken]),
        tuple(number for number, _ in taken),
        tuple(name for _, name in taken),
        round(SILENCE_S * sample_rate),
        sample_rate,
    )


def _kinds(longer: NDArray[np.float64], samples: int, sample_rate: int) -> dict[str, NDArray[np.float64]]:
    """Name -> (samples,), of a stretch that is long enough to be raised in pitch."""
    plain = longer[:samples]
    up, down = PITCH
    half_rate = sample_rate / 2
    low = butter(2, min(LOW_PASS_HZ, 0.8 * half_rate), fs=sample_rate, output="sos")
    high = butter(2, min(HIGH_PASS_HZ, 0.8 * half_rate), "highpass", fs=sample_rate, output="sos")
    return {
        PLAIN: plain,
        "6 dB louder": 2 * plain,
        "12 dB louder": 4 * plain,
        "20 dB quieter": 0.1 * plain,
        "40 dB quieter": 0.01 * plain,
        "low-passed": _levelled(sosfilt(low, plain), plain),
        "high-passed": _levelled(sosfilt(high, plain), plain),
        "duller": _levelled(lfilter([1.0], [1.0, -TILT_POLE], plain), plain),
        "brighter": _levelled(lfilter([1.0, -TILT_POLE], [1.0], plain), plain),
        "started in the middle": np.roll(plain, samples // 2),
        "higher in pitch": resample_poly(longer, down, up)[:samples],
        "lower in pitch": resample_poly(plain, up, down)[:samples],
    }


def _levelled(changed: NDArray[np.float64], plain: NDArray[np.float64]) -> NDArray[np.float64]:
    """At the RMS of `plain`, or as near as `MOST_GAIN` takes it."""
    own, wanted = np.sqrt(np.square(changed).mean()), np.sqrt(np.square(plain).mean())
    levelled: NDArray[np.float64] = changed * min(wanted / own, MOST_GAIN) if own > 0 else changed
    return levelled


def _loudest(input: Signal, samples: int) -> NDArray[np.float64]:
    """The loudest stretch and what it takes to be raised in pitch; what is too short is repeated.

    Found in steps of half its length, and read in pieces: a region may be hours long.
    """
    up, down = PITCH
    step = max(1, samples // 2)
    energies = [
        float(np.square(input[start : start + samples], dtype=np.float64).sum())
        for start in range(0, max(1, len(input) - samples + 1), step)
    ]
    start = int(np.argmax(energies)) * step
    longer = np.asarray(input[start : start + -(-samples * up // down) + 1], dtype=np.float64)
    return np.resize(longer, -(-samples * up // down) + 1)
