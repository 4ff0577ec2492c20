"""What of a measurement can be listened to: program material through machines, or passages of a recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapezoo.devices.program import program_material
from tapezoo.esr import esr
from tapezoo.measure.excerpts import TYPICAL, Excerpt, even_starts, typical_and_worst
from tapezoo.measure.machine.machine import Machine
from tapezoo.measure.pair_scores import Recording

PASSAGE_S, SHORTEST_S = 8.0, 2.0  # of a passage that is compared with another
PROGRAM = {"music": 4.0, "percussion": 2.0, "speech": 2.0}  # of each, at most so many s
PROGRAM_LENGTH_S = 12.0  # of which no kind has more than its share
CANDIDATES = 8
SEED = 5


@dataclass(frozen=True)
class Audible:
    """Signals in step with each other.

    Args:
        name: Of its files.
        text: What it is.
        sample_rate: Hz.
        signals: "input", "target" and "output", or some of them, each (samples,).
    """

    name: str
    text: str
    sample_rate: int
    signals: Mapping[str, NDArray[np.float64]]


def program_through(machines: Sequence[Machine]) -> Audible:
    """Music, percussion and speech, all made up; the output is the first machine's, the target the second's."""
    rate = machines[0].sample_rate
    kinds = {one.kind: one.audio for one in program_material(PROGRAM_LENGTH_S, rate, SEED)}
    played = np.concatenate([kinds[kind][: round(length_s * rate)] for kind, length_s in PROGRAM.items()])
    signals = {"input": played.astype(np.float64)}
    for name, machine in zip(("output", "target"), machines, strict=False):
        signals[name] = machine.play_one(signals["input"])
    return Audible("program", "Made-up music, percussion and speech", rate, signals)


def passages(recording: Recording, output: NDArray[np.float64] | None) -> list[Audible]:
    """A typical and the worst passage of a model on a recording; without a model, the passage in its middle.

    They do not overlap. A recording of less than 16 s has two of half its length, one of less than 4 s is one passage.

    Args:
        recording: The pair.
        output: Of the model, (samples,) as the recording.
    """
    rate, count = recording.sample_rate, len(recording.target)
    samples = min(round(PASSAGE_S * rate), count)
    if output is None:
        start = (count - samples) // 2
        taken = slice(start, start + samples)
        return [
            _audible(
                recording,
                TYPICAL,
                start / rate,
                "",
                {"input": recording.input[taken], "target": recording.target[taken]},
            )
        ]
    if count >= 2 * round(SHORTEST_S * rate):
        samples = min(samples, count // 2)
    starts = even_starts(count, samples, CANDIDATES)
    found = [_excerpt(recording, output, slice(start, start + samples)) for start in starts]
    alone = "; there is no room for a second one" if len(starts) == 1 else ""
    return [
        _audible(
            recording,
            one.kind,
            one.start_s,
            f", ESR {one.esr:.5f}{alone}",
            {"input": one.input, "target": one.target, "output": one.output},
        )
        for one in typical_and_worst(found)
    ]


def _excerpt(recording: Recording, output: NDArray[np.float64], taken: slice) -> Excerpt:
    target = recording.target[taken].astype(np.float64)
    error = float(np.sum(np.square(output[taken] - target)))
    start_s, stop_s = taken.start / recording.sample_rate, taken.stop / recording.sample_rate
    score = esr(error, float(np.sum(np.square(target))))
    return Excerpt(
        TYPICAL,
        start_s,
        (start_s, stop_s),
        score,
        recording.input[taken].astype(np.float64),
        target,
        output[taken],
    )


def _audible(
    recording: Recording, kind: str, start_s: float, score: str, signals: Mapping[str, NDArray[np.floating]]
) -> Audible:
    stop_s = start_s + len(signals["target"]) / recording.sample_rate
    text = f"{kind.capitalize()} passage of {recording.name}: {start_s:.1f} to {stop_s:.1f} s{score}"
    return Audible(
        kind,
        text,
        recording.sample_rate,
        {name: signal.astype(np.float64) for name, signal in signals.items()},
    )
