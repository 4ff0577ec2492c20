"""Which passages of a recording are worth listening to, with the net's output for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tapezoo.data.module import Passage
from tapezoo.esr import esr
from tapezoo.measure.playing import play
from tapezoo.net import Net

Signal = NDArray[np.float64]  # (samples,), full scale is +-1

PREROLL_S = 1.0  # played before an excerpt and dropped, so that the net's memory is filled
MOST_CANDIDATES = 8  # of one recording: bounds the time for long ones
QUIETEST = 1e-3  # of the loudest candidate's energy: more than 30 dB below it, little is audible
TYPICAL, WORST = "typical", "worst"


@dataclass(frozen=True)
class Excerpt:
    """A passage of a recording.

    Args:
        kind: "typical" or "worst".
        start_s: Where it begins in the recording, s.
        validation_s: Begin and end of what belongs to the validation split, s in the recording.
        esr: Error energy over target energy within that; NaN where the target is silent, or the net's phase its own.
        input: (samples,)
        target: (samples,)
        output: (samples,), of the net, its latency taken out.
    """

    kind: str
    start_s: float
    validation_s: tuple[float, float]
    esr: float
    input: Signal
    target: Signal
    output: Signal


def choose_excerpts(net: Net, passage: Passage, sample_rate: int, excerpt_s: float) -> list[Excerpt]:
    """A typical and the worst passage of a region; only a typical one where there is room for no other.

    A region that is shorter than an excerpt is shown with what is around it in the recording, up to that length: a
    tenth of a second cannot be judged by ear. Up to eight candidates lie evenly over a longer one and share nothing;
    typical is the one whose error is the median's.

    Args:
        net: On the CPU, with its trained weights.
        passage: Of the validation split.
        sample_rate: Hz.
        excerpt_s: Length of an excerpt, s.
    """
    samples = min(round(excerpt_s * sample_rate), len(passage.input))
    return typical_and_worst(
        [_played(net, passage, start, samples, sample_rate) for start in _starts(passage, samples)]
    )


def typical_and_worst(found: Sequence[Excerpt]) -> list[Excerpt]:
    """The one whose error is the median's, and the worst, of those that are not much quieter than the loudest."""
    loudest = max(float(np.sum(np.square(one.target))) for one in found)
    heard = [one for one in found if float(np.sum(np.square(one.target))) >= QUIETEST * loudest]
    ranked = sorted(heard, key=lambda one: one.esr if np.isfinite(one.esr) else -1.0)
    typical = ranked[(len(ranked) - 1) // 2]
    is_alone = ranked[-1] is typical or not np.isfinite(ranked[-1].esr)
    return [typical] if is_alone else [typical, replace(ranked[-1], kind=WORST)]


def even_starts(room: int, samples: int, most: int) -> list[int]:
    """Where pieces begin that lie evenly over a stretch and do not overlap; one piece lies in its middle.

    Args:
        room: Length of the stretch, samples, at least `samples`.
        samples: Length of each piece.
        most: How many at most.
    """
    count = min(most, room // samples)
    if count < 2:
        return [(room - samples) // 2]
    return [int(at) for at in np.linspace(0, room - samples, count)]


def _starts(passage: Passage, samples: int) -> list[int]:
    room = passage.stop - passage.start
    if room >= samples:
        return [passage.start + at for at in even_starts(room, samples, MOST_CANDIDATES)]
    middle = (passage.start + passage.stop - samples) // 2
    return [min(max(middle, 0), len(passage.input) - samples)]


def _played(net: Net, passage: Passage, start: int, samples: int, sample_rate: int) -> Excerpt:
    played_from = max(0, start - round(PREROLL_S * sample_rate))
    input = np.asarray(passage.input[played_from : start + samples], dtype=np.float64)
    output = play(net, input[None], passage.controls.tolist())[0, start - played_from :]
    target = np.asarray(passage.target[start : start + samples], dtype=np.float64)
    begin, end = max(passage.start, start), min(passage.stop, start + samples)
    scored = slice(begin - start, end - start)
    error, energy = (float(np.sum(np.square(signal[scored]))) for signal in (output - target, target))
    return Excerpt(
        TYPICAL,
        start / sample_rate,
        (begin / sample_rate, end / sample_rate),
        np.nan if net.own_phase else esr(error, energy),
        input[start - played_from :],
        target,
        output,
    )
