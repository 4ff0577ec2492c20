"""Where one more recording would help most, and how far such a forecast can be trusted."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapezoo.data.settings import Setting, positions_on, setting_of, sort_settings
from tapezoo.measure.disagreement import Signals, disagreement, play_at
from tapezoo.training.effect import EffectModel

MAX_MIDPOINTS = 64  # settings that are proposed beyond the held-out ones
MAX_DRAWN = 4096  # from a grid too large to examine point by point
LEAST_FOR_A_RANK = 4  # settings; with fewer a rank correlation means nothing


@dataclass(frozen=True)
class Candidate:
    """A setting training has not seen, and how much there is to learn there.

    Args:
        setting: Of the controls.
        score: Disagreement, 0 or more; NaN where there was nothing to compare.
    """

    setting: Setting
    score: float


@dataclass(frozen=True)
class Foresight:
    """How well the scores predicted the measured errors.

    Args:
        settings: Those with both a score and an ESR.
        rank_correlation: Spearman's, of score and ESR; None below four settings or where one of the two is
            the same everywhere.
        hit: Whether the one with the highest score is among the third with the highest ESR; None as above.
    """

    settings: int
    rank_correlation: float | None
    hit: bool | None


def find_midpoints(trained: Collection[Setting], switches: Collection[int] = ()) -> list[Setting]:
    """Settings halfway between neighbouring recorded values of every control that moves.

    Settings that share their switches and idle controls make one grid each: what lies between two machines
    cannot be recorded. At most 64 are returned, those farthest from the nearest trained setting; a grid of
    more than 4096 points is represented by as many drawn from it (always the same).

    Args:
        trained: What training has seen.
        switches: Controls that have nothing to be recorded between their values.
    """
    groups: dict[tuple[float | bool, ...], list[Setting]] = {}
    for setting in sort_settings(trained):
        key = tuple((at or 0.0) if axis in switches else at is None for axis, at in enumerate(setting))
        groups.setdefault(key, []).append(setting)
    found = {setting for group in groups.values() for setting in _between(group)}
    known = _as_array(trained)
    ranked = sorted(
        sort_settings(found - set(trained)), key=lambda setting: _nearest(setting, known), reverse=True
    )
    return sort_settings(ranked[:MAX_MIDPOINTS])


def find_neighbours(setting: Setting, trained: Collection[Setting]) -> list[Setting]:
    """The trained settings around one: for every control the nearest below and the nearest above on it.

    Nearest is meant over all controls (0..1 each). Where this gives fewer than two, as outside of what was
    trained, the two nearest of all. Only settings with the same idle controls are neighbours.
    """
    alike = [other for other in sort_settings(trained) if math.isfinite(_distance(setting, other))]
    alike.sort(key=lambda other: _distance(setting, other))
    found: list[Setting] = []
    for axis, position in enumerate(setting):
        below = (other for other in alike if _difference(other[axis], position) < 0)
        above = (other for other in alike if _difference(other[axis], position) > 0)
        found += [near for near in (next(below, None), next(above, None)) if near is not None]
    found = list(dict.fromkeys(found))
    return found if len(found) > 1 else alike[:2]


def rank_by_ensemble(
    members: Sequence[EffectModel], settings: Sequence[Setting], excerpts: Signals
) -> list[Candidate]:
    """Where models that differ in nothing but their seeds disagree, highest score first.

    Lakshminarayanan, Pritzel, Blundell, "Simple and scalable predictive uncertainty estimation using deep
    ensembles", NeurIPS 2017: the variance of such models grows where there was little training data.

    Args:
        members: Two or more.
        settings: The candidates, at least one.
        excerpts: What is played, (excerpts, samples).
    """
    played = [play_at(model, settings, excerpts) for model in members]
    return _rank(
        Candidate(setting, disagreement(np.stack(outputs)))
        for setting, *outputs in zip(settings, *played, strict=True)
    )


def rank_by_neighbours(
    model: EffectModel, settings: Sequence[Setting], trained: Collection[Setting], excerpts: Signals
) -> list[Candidate]:
    """Where the settings around a candidate sound most different from each other, highest score first.

    One model alone cannot disagree with itself; but the more its sound changes from one trained setting to
    the next, the more it has to guess between them: `disagreement` of its outputs at the `find_neighbours`.

    Args:
        model: The trained one.
        settings: The candidates, at least one.
        trained: What training has seen.
        excerpts: What is played, (excerpts, samples).
    """
    around = {setting: find_neighbours(setting, trained) for setting in settings}
    needed = sort_settings({near for own in around.values() for near in own})
    played = dict(zip(needed, play_at(model, needed, excerpts), strict=True)) if needed else {}
    return _rank(
        Candidate(setting, disagreement(np.array([played[near] for near in around[setting]])))
        for setting in settings
    )


def compare_scores(candidates: Iterable[Candidate], measured: Mapping[Setting, float]) -> Foresight:
    """The scores of candidates against the ESR measured there.

    Args:
        candidates: With their scores.
        measured: ESR by setting, of the held-out ones.
    """
    known = [
        (one.score, measured[one.setting])
        for one in candidates
        if math.isfinite(one.score) and math.isfinite(measured.get(one.setting, math.nan))
    ]
    scores, errors = [score for score, _ in known], [error for _, error in known]
    if len(known) < LEAST_FOR_A_RANK or len(set(scores)) < 2 or len(set(errors)) < 2:
        return Foresight(len(known), None, None)
    worst_third = sorted(errors, reverse=True)[: math.ceil(len(errors) / 3)]
    _, error_at_top = max(known, key=lambda pair: pair[0])
    # here: every training imports this file, and the statistics take half a second
    from scipy.stats import spearmanr

    correlation = float(spearmanr(scores, errors).statistic)
    return Foresight(len(known), correlation, error_at_top >= worst_third[-1])


def _rank(candidates: Iterable[Candidate]) -> list[Candidate]:
    return sorted(candidates, key=lambda one: math.inf if math.isnan(one.score) else -one.score)


def _between(group: Sequence[Setting]) -> list[Setting]:
    """The grid of midpoints of one group, or a draw from it; nothing where no control moves."""
    choices: list[list[float | None]] = []
    moves = False
    for axis in range(len(group[0])):
        values = positions_on(group, axis)
        if len(values) < 2:
            choices.append([*values] or [None])
        else:
            moves = True
            choices.append([(low + high) / 2 for low, high in itertools.pairwise(values)])
    if not moves:
        return []
    if math.prod(len(own) for own in choices) <= MAX_DRAWN:
        points: Iterable[Setting] = itertools.product(*choices)
    else:
        random = np.random.default_rng(0)
        points = (tuple(own[random.integers(len(own))] for own in choices) for _ in range(MAX_DRAWN))
    idle = [axis for axis, own in enumerate(choices) if own == [None]]
    return [setting_of([at or 0.0 for at in point], idle) for point in points]


def _distance(first: Setting, second: Setting) -> float:
    """Euclidean; infinite where a control is idle in one of the two alone."""
    return math.sqrt(math.fsum(_difference(a, b) ** 2 for a, b in zip(first, second, strict=True)))


def _as_array(settings: Collection[Setting]) -> NDArray[np.float64]:
    """(settings, axes), NaN where a control is idle."""
    return np.array([[math.nan if at is None else at for at in setting] for setting in settings])


def _nearest(setting: Setting, others: NDArray[np.float64]) -> float:
    """The least `_distance`, of thousands of settings at once."""
    squares = np.square(others - _as_array([setting]))
    missing = np.isnan(squares)
    neither = np.isnan(others) & np.array([at is None for at in setting])
    squares[missing] = np.where(neither, 0.0, math.inf)[missing]
    # summed in extended precision, so that equal distances along different controls stay equal
    return float(np.sqrt(squares.astype(np.longdouble).sum(axis=1).astype(np.float64).min()))


def _difference(first: float | None, second: float | None) -> float:
    if first is None or second is None:
        return 0.0 if first is second else math.inf
    return first - second
