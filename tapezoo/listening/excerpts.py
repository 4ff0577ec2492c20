"""Which passages are heard: spread over the recordings, none nearly silent, as many as there is room for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tapezoo.data.module import Passage
from tapezoo.listening.errors import ListeningError
from tapezoo.listening.material import Material
from tapezoo.loudness import loudness

Signal = NDArray[np.float64]  # (samples,), full scale is +-1

COUNT, LENGTH_S = 6, 8.0  # by default, where there is room
QUIETER_LU = 20.0  # than the loudest candidate: not listened to
PREROLL_S = 2.0  # played before a passage and dropped, so that a model's memory is filled
SHORTEST_S, STEP_S = 1.0, 0.5  # of the lengths that are offered, or taken by default


@dataclass(frozen=True)
class Excerpt:
    """A passage to listen to.

    Args:
        recording: What it is cut from.
        start_s: Where it begins there, s.
        positions: Of the material's controls, 0..1.
        setting: The same in their own units.
        input: (samples,), dry, with up to two seconds before the passage.
        preroll_samples: How many of `input` those are.
        target: (samples,), wet, of the passage alone.
    """

    recording: str
    start_s: float
    positions: list[float]
    setting: dict[str, float]
    input: Signal
    preroll_samples: int
    target: Signal


def passages_text(count: int, seconds: float) -> str:
    """How many passages, and how long.

    >>> passages_text(1, 8.0)
    '1 passage of 8 s'
    """
    return f"{count} passage{'' if count == 1 else 's'} of {seconds:g} s"


def settled(material: Material, count: int | None, seconds: float | None) -> tuple[int, float]:
    """How many passages of which length are heard: what is None is by default, and less where there is no room.

    Of the lengths up to 8 s the longest that there is room for is taken, and up to six passages of it.

    Args:
        material: What to choose from.
        count: How many are asked for, at least 1.
        seconds: Length of each that is asked for, s.
    """
    lengths = [seconds] if seconds is not None else [LENGTH_S, *_shorter(LENGTH_S)]
    found = lengths[-1], 0  # what a refusal is about: the shortest has the best chance
    for length in lengths:
        there = room(material, length)
        if there >= (count or 1):
            found = length, there
            break
    return count or max(1, min(found[1], COUNT)), found[0]


def choose_excerpts(material: Material, count: int, seconds: float, seed: int) -> list[Excerpt]:
    """So many passages of one length, spread over the recordings and over each of them; none is nearly silent.

    Args:
        material: What to choose from.
        count: How many, at least 1.
        seconds: Length of each, s.
        seed: Draws among candidates that are equally far apart.

    Raises:
        ListeningError: There is not as much.
    """
    places = _places(material, seconds)
    if sum(map(len, places)) < count:
        raise _too_little(material, count, seconds, sum(map(len, places)))
    taken = _shares([len(own) for own in places], count)
    draw = np.random.default_rng(seed)
    chosen = []
    for own, share, passage in zip(places, taken, material.passages, strict=True):
        edges = np.linspace(0, len(own), share + 1).astype(int)
        starts = [own[int(draw.integers(low, high))] for low, high in pairwise(edges)]
        chosen += [_cut(material, passage, start, seconds) for start in starts]
    return chosen


def longest_s(material: Material) -> float:
    """The longest stretch of a recording that may be heard, s."""
    return max(((one.stop - one.start) / material.sample_rate for one in material.passages), default=0.0)


def room(material: Material, seconds: float) -> int:
    """How many passages of this length, in s, can be heard."""
    return sum(map(len, _places(material, seconds)))


def _shorter(seconds: float) -> list[float]:
    """The lengths under this one that are offered, the longest first, s."""
    longest = np.floor((seconds - STEP_S) / STEP_S) * STEP_S
    return [float(length) for length in np.arange(longest, SHORTEST_S - 1e-9, -STEP_S)]


def _places(material: Material, seconds: float) -> list[list[int]]:
    """Of each passage the starts of pieces that do not overlap and are loud enough, in samples of the recording."""
    samples = round(seconds * material.sample_rate)
    found = [list(range(one.start, one.stop - samples + 1, samples)) for one in material.passages]
    levels = [
        [_loudness(passage, start, samples, material.sample_rate) for start in starts]
        for passage, starts in zip(material.passages, found, strict=True)
    ]
    loudest = max((level for own in levels for level in own), default=-np.inf)
    quietest = loudest - QUIETER_LU
    return [
        [start for start, level in zip(starts, own, strict=True) if np.isfinite(level) and level >= quietest]
        for starts, own in zip(found, levels, strict=True)
    ]


def _loudness(passage: Passage, start: int, samples: int, sample_rate: int) -> float:
    return loudness(np.asarray(passage.target[start : start + samples], dtype=np.float64), sample_rate)


def _shares(room: Sequence[int], count: int) -> list[int]:
    """How many of `count` each takes, one after another in turn, none more than it has room for."""
    taken = [0] * len(room)
    while sum(taken) < count:
        for number, own in enumerate(room):
            if taken[number] < own and sum(taken) < count:
                taken[number] += 1
    return taken


def _cut(material: Material, passage: Passage, start: int, seconds: float) -> Excerpt:
    sample_rate, positions = material.sample_rate, passage.controls.tolist()
    own = {
        control.name: control.denormalize(position)
        for control, position in zip(material.controls, positions, strict=True)
    }
    stop = start + round(seconds * sample_rate)
    begin = max(0, start - round(PREROLL_S * sample_rate))
    return Excerpt(
        passage.recording,
        start / sample_rate,
        positions,
        {**material.setting, **own},
        np.asarray(passage.input[begin:stop], dtype=np.float64),
        start - begin,
        np.asarray(passage.target[start:stop], dtype=np.float64),
    )


def _too_little(material: Material, count: int, seconds: float, found: int) -> ListeningError:
    rooms = {length: room(material, length) for length in _shorter(seconds)}
    offers = [f"--excerpts {found}"] if found else []
    offers += [f"--seconds {length:g}" for length, own in rooms.items() if own >= count][:1]
    if not offers:
        offers = [f"--excerpts {own} --seconds {length:g}" for length, own in rooms.items() if own][:1]
    return ListeningError(
        material.name,
        found=f"{passages_text(found, seconds)} that hold sound and do not overlap (the longest stretch is "
        f"{longest_s(material):.1f} s)",
        expected=f"{count} of them",
        fix=f"Pass {' or '.join(offers)}." if offers else "Name a longer recording: --dry FILE --wet FILE.",
    )
