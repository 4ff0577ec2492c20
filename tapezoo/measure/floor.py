"""The linear floor: what the best linear filter of each control setting reaches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tapezoo.data.common_filter import fit_common_filter
from tapezoo.data.least_squares import (
    LINEAR_FLOOR_TAPS,
    LinearFilter,
    fir_energies,
    fit_filter,
    gather,
)
from tapezoo.data.module import Row
from tapezoo.data.normal_equations import NormalEquations
from tapezoo.data.settings import Setting
from tapezoo.esr import esr


@dataclass(frozen=True)
class LinearFloor:
    """One causal least-squares filter with an offset per trained setting, and one for all of them.

    A model with controls must beat the filters of the single settings: to beat one filter for several machines, it
    would be enough to tell the machines apart.

    Args:
        filters: By setting of the controls.
        overall: For settings that were not trained.
    """

    filters: Mapping[Setting, LinearFilter]
    overall: LinearFilter

    def esr(self, rows: Iterable[Row], skip_samples: int) -> float:
        """Error energy over target energy of all rows, after `skip_samples` of each; NaN for silent targets."""
        energies = np.zeros(2)
        for row in rows:
            filter = self.filters.get(row.setting, self.overall)
            energies += fir_energies(filter, row.input, row.target, skip_samples)
        return esr(float(energies[0]), float(energies[1]))


def fit_floor(train: Sequence[Row], taps: int = LINEAR_FLOOR_TAPS, lead_samples: int = 0) -> LinearFloor:
    """The filters of that length that fit `train` best; one that looks ahead is what its recordings have in common.

    Args:
        train: Rows of the training split.
        taps: Length of the filters.
        lead_samples: How far they look ahead.
    """
    members: dict[Setting, list[Row]] = {}
    for row in train:
        members.setdefault(row.setting, []).append(row)
    pairs = {setting: [(row.input, row.target) for row in rows] for setting, rows in members.items()}
    if lead_samples:
        filters = {setting: fit_common_filter(own, taps, lead_samples) for setting, own in pairs.items()}
        every = [(row.input, row.target) for row in train]
        return LinearFloor(filters, _only(filters) or fit_common_filter(every, taps, lead_samples))
    filters = {}
    together = NormalEquations(taps)  # the joined equations are reused, so each recording is read once
    for setting, own in pairs.items():
        equations = gather(own, taps)
        filters[setting] = fit_filter(equations)
        together.join([equations])
    return LinearFloor(filters, _only(filters) or fit_filter(together))


def _only(filters: Mapping[Setting, LinearFilter]) -> LinearFilter | None:
    return next(iter(filters.values())) if len(filters) == 1 else None
