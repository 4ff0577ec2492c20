"""Magnetic fields for training and testing state transition nets; they lead a tape through all of its states.

Music alone stays near a few loops. A net that runs on its own output also reaches states that no tape is ever in,
and must return from them. So the training fields include sweeps, noise, small loops on the flanks of large ones,
decaying fields, and rows that start at any magnetisation. A net is unpredictable outside its training range, so
levels and drives are denser at the ends. Test fields are music and sweeps with another seed, from a demagnetised tape.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tapezoo.devices.program_music import music_phrase
from tapezoo.devices.program_percussion import percussion_phrase
from tapezoo.devices.program_signals import noise_phrase, sweep_phrase, tone_phrase
from tapezoo.devices.program_speech import speech_phrase

Phrase = Callable[[float, int, np.random.Generator], NDArray[np.float64]]
Spread = Callable[[NDArray[np.floating]], NDArray[np.floating]]

LEVEL_RANGE_DB = 40.0
_HOT_DB = 12.0  # every other row peaks within this of full scale, as program material does
_GOLDEN = 0.6180339887498949
_QUIET_START = 0.3  # of the reach: the largest magnetisation that a tape under a quiet field starts with
_TRAINING, _TEST = 0, 1  # so that no seed of one set repeats a signal of the other


class Fields(NamedTuple):
    """Rows of a field, with their drives and starting points.

    Args:
        kinds: The kind of each row.
        H: Field, full scale +-1.
        drives: 0..1, one for each row, for nets with the drive as an input.
        starts: Magnetisation before the first sample, relative to the anhysteretic one at full scale, -1..1.

    Shape:
        H (rows, samples), drives (rows,), starts (rows,).
    """

    kinds: tuple[str, ...]
    H: NDArray[np.float64]
    drives: NDArray[np.floating]
    starts: NDArray[np.floating]


def small_loops(seconds: float, sample_rate: int, random: np.random.Generator) -> NDArray[np.float64]:
    """A slow large sine around an offset, and a fast small one that reverses the field many times on its flanks."""
    time_s = np.arange(round(seconds * sample_rate)) / sample_rate
    slow_hz = 15.0 * 20.0 ** random.random()
    fast_hz = min(slow_hz * 10.0 ** random.uniform(0.6, 1.8), 0.4 * sample_rate)
    small = 10.0 ** random.uniform(-2.0, -0.2)
    phases = random.uniform(0.0, 2.0 * np.pi, 2)
    large = np.sin(2.0 * np.pi * slow_hz * time_s + phases[0])
    fast = np.sin(2.0 * np.pi * fast_hz * time_s + phases[1])
    return np.asarray(large + small * fast + random.uniform(-0.5, 0.5), dtype=np.float64)


def decaying_tone(seconds: float, sample_rate: int, random: np.random.Generator) -> NDArray[np.float64]:
    """A tone around an offset that decays by 20 to 60 dB: it leaves the tape on its anhysteretic curve."""
    time_s = np.arange(round(seconds * sample_rate)) / sample_rate
    tone_hz = 60.0 * 50.0 ** random.random()
    decay = 10.0 ** (-random.uniform(1.0, 3.0) * time_s / max(seconds, 1e-9))
    offset = random.uniform(-0.3, 0.3)
    return np.asarray(decay * np.sin(2.0 * np.pi * tone_hz * time_s) + offset, dtype=np.float64)


_TRAINED: tuple[tuple[str, Phrase], ...] = (
    ("music", music_phrase),
    ("small loops", small_loops),
    ("percussion", percussion_phrase),
    ("noise", noise_phrase),
    ("music", music_phrase),
    ("sweep", sweep_phrase),
    ("speech", speech_phrase),
    ("decaying tone", decaying_tone),
    ("tones", tone_phrase),
)
_TESTED: tuple[tuple[str, Phrase], ...] = (
    ("music", music_phrase),
    ("sweep", sweep_phrase),
    ("percussion", percussion_phrase),
    ("music", music_phrase),
    ("speech", speech_phrase),
)


def training_fields(rows: int, samples: int, sample_rate: int, seed: int) -> Fields:
    """Fields that cover the states of a tape; half of the hot and of the quiet rows start at a random magnetisation.

    A tape under a quiet field is seldom strongly magnetised, so such starts would dominate the training if they reached
    as far as those of hot rows. Two rows start at the ends of the reach.

    Args:
        rows: Number of rows. Nine in a row cover every kind; 36 in a row cover every kind, hot and quiet, with both
            kinds of start.
        samples: Length of each row; for the same total, shorter rows give more levels and more random starts.
        sample_rate: In Hz.
        seed: Another seed gives other signals.
    """
    random = np.random.default_rng([seed, _TRAINING, rows])
    numbers = np.arange(rows)
    reach = np.where(numbers % 2 == 0, 1.0, _QUIET_START)
    starts = np.where(numbers // 2 % 2 == 1, reach * random.uniform(-1.0, 1.0, rows), 0.0)
    hot_starts = numbers[(numbers // 2 % 2 == 1) & (numbers % 2 == 0)][:2]
    starts[hot_starts] = [1.0, -1.0][: len(hot_starts)]
    fields = _fields(_TRAINED, rows, samples, sample_rate, [seed, _TRAINING], starts, to_ends)
    return fields._replace(drives=to_ends(fields.drives))


def unseen_fields(rows: int, samples: int, sample_rate: int, seed: int) -> Fields:
    """Music, percussion, speech and sweeps that appear in no training field, on demagnetised tapes.

    Args:
        rows: Number of rows; five in a row cover every kind.
        samples: Length of each row.
        sample_rate: In Hz.
        seed: Another seed gives other signals.
    """
    return _fields(_TESTED, rows, samples, sample_rate, [seed, _TEST], np.zeros(rows), as_they_are)


def _fields(
    kinds: tuple[tuple[str, Phrase], ...],
    rows: int,
    samples: int,
    sample_rate: int,
    seed: list[int],
    starts: NDArray[np.floating],
    spread: Spread,
) -> Fields:
    H = np.zeros((rows, samples))
    names = []
    levels_db = _levels_db(rows, spread)
    for row in range(rows):
        random = np.random.default_rng([*seed, 1, row])
        name, phrase = kinds[row % len(kinds)]
        found = phrase(samples / sample_rate, sample_rate, random)[:samples]
        peak = max(float(np.abs(found).max(initial=0.0)), 1e-9)
        H[row, : found.size] = found * (10.0 ** (levels_db[row] / 20.0) / peak)
        names.append(name)
    # two sequences without a common ratio, so that rows with similar drives have different levels
    drives = (0.5 + np.arange(rows) * np.sqrt(2.0)) % 1.0
    return Fields(tuple(names), H, drives, starts)


def to_ends(shares: NDArray[np.floating]) -> NDArray[np.floating]:
    """Numbers spread evenly over 0..1, mapped by a cosine so that they are denser at both ends."""
    return np.asarray((1.0 - np.cos(np.pi * shares)) / 2.0)


def as_they_are(shares: NDArray[np.floating]) -> NDArray[np.floating]:
    """Evenly spread numbers."""
    return shares


def _levels_db(rows: int, spread: Spread) -> NDArray[np.floating]:
    """Peak levels of the rows: alternately hot and quiet, spread by the golden ratio, the hot ones also by `spread`."""
    numbers = np.arange(rows)
    shares = numbers // 2 * _GOLDEN % 1.0
    quiet = -_HOT_DB - (LEVEL_RANGE_DB - _HOT_DB) * shares
    return np.where(numbers % 2 == 0, -_HOT_DB * spread(shares), quiet)
