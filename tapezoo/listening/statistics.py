"""Medians, means, confidence intervals and tests of a panel's answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from tapezoo.listening.answer_rows import Answer
from tapezoo.listening.significance import holm, signed_rank_p

CONFIDENCE = 0.95
ALL = "all"


@dataclass(frozen=True)
class Score:
    """Ratings of one system, on one passage or on all.

    Args:
        system: Its name.
        trial: Id of the passage, or "all".
        listeners: How many.
        median: Of their ratings; on all passages, of their means.
        mean: The same.
        low: Of the 95 % confidence interval of the mean; None: there is one listener.
        high: The same.
    """

    system: str
    trial: str
    listeners: int
    median: float
    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Difference:
    """Two systems, compared by every listener.

    Args:
        first: The one with the higher mean.
        second: The other.
        mean: First minus second, mean over listeners.
        p: Of the two-sided signed-rank test on the means of the listeners.
        p_holm: Corrected for the number of pairs.
    """

    first: str
    second: str
    mean: float
    p: float
    p_holm: float


@dataclass(frozen=True)
class Discrimination:
    """Right answers in an ABX test.

    Args:
        system: What was told from the reference, or "all".
        right: Answers that were right.
        asked: Answers.
        listeners: How many.
        p: How likely guessing gives that many or more: one-sided exact binomial test against 1/2.
        p_holm: Corrected for the number of systems; of all together, as `p`.
        low: Of the exact 95 % confidence interval of the share (Clopper and Pearson).
        high: The same.
    """

    system: str
    right: int
    asked: int
    listeners: int
    p: float
    p_holm: float
    low: float
    high: float


def score(answers: Sequence[Answer], systems: Sequence[str], trials: Sequence[str]) -> list[Score]:
    """Every system on all passages, then on each.

    Ratings of one listener are not independent of each other, listeners are: on all passages each listener counts with
    the mean of all own ratings, and the confidence interval is Student's t over these.

    Args:
        answers: Of listeners who rated everything.
        systems: In the order of the result.
        trials: Ids of the passages.
    """
    ratings = {name: _by_listener(answers, name) for name in systems}
    found = [_score(name, ALL, _means(ratings[name])) for name in systems]
    for trial in trials:
        found += [
            _score(name, trial, np.array([own[trial] for own in ratings[name].values()])) for name in systems
        ]
    return found


def compare(answers: Sequence[Answer], systems: Sequence[str]) -> list[Difference]:
    """Every pair of systems: Wilcoxon's exact signed-rank test on the means of the listeners, Holm's correction.

    Args:
        answers: Of listeners who rated everything.
        systems: Names.
    """
    means = {name: _means(_by_listener(answers, name)) for name in systems}
    pairs = [
        (first, second) if means[first].mean() >= means[second].mean() else (second, first)
        for first, second in combinations(systems, 2)
    ]
    ps = [signed_rank_p(means[first] - means[second]) for first, second in pairs]
    return [
        Difference(first, second, float((means[first] - means[second]).mean()), p, corrected)
        for (first, second), p, corrected in zip(pairs, ps, holm(ps), strict=True)
    ]


def discriminate(answers: Sequence[Answer], systems: Sequence[str]) -> list[Discrimination]:
    """Every system, then all together.

    Args:
        answers: Of an ABX test.
        systems: Names.
    """
    from scipy.stats import binomtest

    def tested(name: str, own: Sequence[Answer]) -> Discrimination:
        right = sum(answer.value == 1 for answer in own)
        p = float(binomtest(right, len(own), 0.5, alternative="greater").pvalue)
        interval = binomtest(right, len(own)).proportion_ci(CONFIDENCE, "exact")
        people = len({answer.listener for answer in own})
        return Discrimination(name, right, len(own), people, p, p, float(interval.low), float(interval.high))

    found = [tested(name, [answer for answer in answers if answer.system == name]) for name in systems]
    corrected = holm([one.p for one in found])
    rows = [replace(one, p_holm=p) for one, p in zip(found, corrected, strict=True)]
    return [*rows, tested(ALL, answers)]


def _by_listener(answers: Sequence[Answer], system: str) -> dict[str, dict[str, float]]:
    """Ratings by listener and passage, in the order of the answers."""
    found: dict[str, dict[str, float]] = {}
    for answer in answers:
        if answer.system == system:
            found.setdefault(answer.listener, {})[answer.trial] = answer.value
    return {name: found[name] for name in sorted(found)}


def _means(ratings: dict[str, dict[str, float]]) -> NDArray[np.float64]:
    return np.array([float(np.mean(list(own.values()))) for own in ratings.values()])


def _score(system: str, trial: str, values: NDArray[np.float64]) -> Score:
    from scipy.stats import t

    mean, count = float(values.mean()), len(values)
    half = None
    if count > 1:
        half = float(t.ppf((1 + CONFIDENCE) / 2, count - 1) * values.std(ddof=1) / math.sqrt(count))
    return Score(
        system,
        trial,
        count,
        float(np.median(values)),
        mean,
        None if half is None else mean - half,
        None if half is None else mean + half,
    )
