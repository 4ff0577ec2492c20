"""Whether windows of what was recorded and of what was made can be told apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

LEAST_WINDOWS = 8  # for anything that compares windows with windows
MOST_WINDOWS = 1000  # a distance between any two

Real = NDArray[np.float64]


def mean_and_spread(levels: Real) -> Real:
    """(2, bands) over (windows, bands)."""
    return np.stack([levels.mean(axis=0), levels.std(axis=0)])


def compare_windows(real: Real, made: Real) -> tuple[float, float]:
    """Two figures, NaN for fewer than eight windows of either.

    Args:
        real: (windows, features), side by side: what overlaps would be its own neighbour.
        made: Likewise; as many of them are taken as there are real ones.

    Returns:
        told_apart: Share of windows whose nearest neighbour is of their own kind; .5 if they cannot be told apart
            (Lopez-Paz, Oquab, "Revisiting classifier two-sample tests", ICLR 2017, with one nearest neighbour).
        copied: Median distance of what was made to the nearest real window over that among real windows.
    """
    count = min(len(real), len(made), MOST_WINDOWS)
    if count < LEAST_WINDOWS:
        return float("nan"), float("nan")
    both = np.concatenate([real[:count], made[:count]])
    both = both / np.maximum(both.std(axis=0), 1e-12)
    distance = cdist(both, both)
    np.fill_diagonal(distance, np.inf)
    nearest = distance.argmin(axis=1)
    kinds: NDArray[np.bool_] = np.arange(2 * count) < count
    own = distance[:count, :count].min(axis=1)
    across = distance[count:, :count].min(axis=1)
    return float(np.mean(kinds[nearest] == kinds)), float(
        np.median(across) / max(float(np.median(own)), 1e-12)
    )
