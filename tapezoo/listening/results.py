"""What a panel's answers come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tapezoo.listening.answer_rows import Answer
from tapezoo.listening.answers import read_answers
from tapezoo.listening.design import HIGHER_IS_BETTER, METRICS, REFERENCE, Kind, ListeningTest
from tapezoo.listening.errors import ResultsError
from tapezoo.listening.screening import exclude
from tapezoo.listening.significance import rank_correlation
from tapezoo.listening.statistics import (
    ALL,
    Difference,
    Discrimination,
    Score,
    compare,
    discriminate,
    score,
)


@dataclass(frozen=True)
class Agreement:
    """Whether a metric orders the sounds as the panel does.

    Args:
        metric: Its name; of the sounds as they were heard, at one loudness.
        systems: Spearman's rank correlation over all systems and passages; 1: it orders them as the panel does. None:
            too few sounds, or no differences.
        with_anchors: The same with the anchors; None also where there are none.
        sounds: How many are behind `systems`.
    """

    metric: str
    systems: float | None
    with_anchors: float | None
    sounds: int


@dataclass(frozen=True)
class Results:
    """All of it.

    Args:
        test: Id of the test.
        kind: Its method.
        listeners: Those who count.
        excluded: Those who do not, and why.
        scores: Of ratings; none in an ABX test.
        differences: Between systems, of ratings.
        discriminations: Of an ABX test.
        agreements: By metric.
        answers: Of the listeners who count.
    """

    test: str
    kind: Kind
    listeners: list[str]
    excluded: dict[str, str]
    scores: list[Score]
    differences: list[Difference]
    discriminations: list[Discrimination]
    agreements: list[Agreement]
    answers: list[Answer]

    def as_json(self) -> dict[str, Any]:
        """Plain values, without the answers."""
        document = asdict(self)
        del document["answers"]
        return {"version": 1, **document}


def evaluate(test: ListeningTest, files: Sequence[Path]) -> Results:
    """Reads, screens and evaluates.

    Args:
        test: The test.
        files: What listeners sent, or webMUSHRA collected.

    Raises:
        ResultsError: See `read_answers`; or nobody is left.
    """
    answers = read_answers(test, files)
    excluded = exclude(test, answers)
    kept = [answer for answer in answers if answer.listener not in excluded]
    if not kept:
        reasons = "; ".join(f"{name} {reason}" for name, reason in excluded.items())
        raise ResultsError(
            test.id,
            found=f"no listener who counts: {reasons}",
            expected="at least one who answered everything with care",
            fix="Ask more listeners, or make a test with differences that can be heard.",
        )
    systems, trials = list(test.systems), [trial.id for trial in test.trials]
    listeners = sorted({answer.listener for answer in kept})
    known = [
        name for name in METRICS if all(name in one.heard for trial in test.trials for one in trial.stimuli)
    ]
    agreements = [_agreement(test, kept, metric) for metric in known]
    if test.kind == "abx":
        right = discriminate(kept, systems)
        return Results(test.id, test.kind, listeners, excluded, [], [], right, agreements, kept)
    # the best first: that is how a table and a picture are read
    names = list(dict.fromkeys(one.system for one in test.trials[0].stimuli))
    order = [one.system for one in sorted(score(kept, names, []), key=lambda one: -one.mean)]
    compared = [name for name in order if name in systems or name == REFERENCE]
    scores, differences = score(kept, order, trials), compare(kept, compared)
    return Results(test.id, test.kind, listeners, excluded, scores, differences, [], agreements, kept)


def _agreement(test: ListeningTest, answers: Sequence[Answer], metric: str) -> Agreement:
    """Most metrics grow with the error, as the share of right answers does; ratings fall with it."""
    sign = 1.0 if (test.kind == "abx") != (metric in HIGHER_IS_BETTER) else -1.0
    values: dict[tuple[str, str], list[float]] = {}
    for answer in answers:
        values.setdefault((answer.trial, answer.system), []).append(answer.value)
    pairs: dict[str, tuple[list[float], list[float]]] = {"system": ([], []), "anchor": ([], [])}
    for trial in test.trials:
        for one in trial.stimuli:
            if one.role == "reference":
                continue
            own = values[trial.id, one.system]
            pairs[one.role][0].append(one.heard[metric])
            pairs[one.role][1].append(sign * sum(own) / len(own))
    systems, anchors = pairs["system"], pairs["anchor"]
    together = [a + b for a, b in zip(systems, anchors, strict=True)]
    return Agreement(
        metric,
        rank_correlation(*systems),
        rank_correlation(*together) if anchors[0] else None,
        len(systems[0]),
    )


__all__ = ["ALL", "Agreement", "Results", "evaluate"]
