"""Tests of significance and correlation, as plain functions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's step-down correction for the number of tests, in the same order.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    corrected, largest = [0.0] * len(ps), 0.0
    for rank, number in enumerate(sorted(range(len(ps)), key=lambda at: ps[at])):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[number]))
        corrected[number] = largest
    return corrected


def signed_rank_p(differences: NDArray[np.float64]) -> float:
    """Wilcoxon's signed-rank test, two-sided and exact, also with ties: 1 where nothing differs.

    scipy's is exact without ties alone; with ties it goes through all signs for 13 differences and fewer, which takes
    seconds. The distribution of the sum of the ranks with a positive sign is the product of one polynomial per rank.

    Args:
        differences: (listeners,). Those of 0 are left out, as Wilcoxon did.
    """
    from scipy.stats import rankdata

    apart = differences[differences != 0]
    ranks = np.round(2 * rankdata(np.abs(apart))).astype(int)  # twice: ties have halves
    ways = np.ones(1)
    for rank in ranks:
        ways = (np.pad(ways, (0, rank)) + np.pad(ways, (rank, 0))) / 2
    positive = int(ranks[apart > 0].sum())
    tail = min(ways[: positive + 1].sum(), ways[positive:].sum())
    return float(min(1.0, 2 * tail))


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's; None for fewer than four pairs, or where one side is constant or not finite."""
    from scipy.stats import spearmanr

    pairs = np.array([first, second], dtype=np.float64)
    if pairs.shape[1] < 4 or not np.isfinite(pairs).all() or (np.ptp(pairs, axis=1) == 0).any():
        return None
    return float(spearmanr(*pairs).statistic)
