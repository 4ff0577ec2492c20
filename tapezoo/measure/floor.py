"""The linear floor: what the best linear filter of each control setting reaches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapezoo.data.least_squares import fir_energies, least_squares_fir
from tapezoo.data.module import Row
from tapezoo.data.settings import Setting
from tapezoo.esr import esr


@dataclass(frozen=True)
class LinearFloor:
    """One causal least-squares filter per trained setting, and one for all of them.

    A model with controls must beat the filters of the single settings: one filter for several machines would
    be beaten by telling the machines apart.

    Args:
        filters: Setting of the controls -> (taps,).
        overall: For settings that were not trained, (taps,).
    """

    filters: Mapping[Setting, NDArray[np.float64]]
    overall: NDArray[np.float64]

    def esr(self, rows: Iterable[Row], skip_samples: int) -> float:
        """Error energy over target energy of all rows, after `skip_samples` of each; NaN for silent targets."""
        energies = np.zeros(2)
        for row in rows:
            taps = self.filters.get(row.setting, self.overall)
            energies += fir_energies(taps, row.input, row.target, skip_samples)
        return esr(float(energies[0]), float(energies[1]))


def fit_floor(train: Sequence[Row]) -> LinearFloor:
    """The filters that fit `train` best; 257 taps."""
    members: dict[Setting, list[Row]] = {}
    for row in train:
        members.setdefault(row.setting, []).append(row)
    filters = {setting: _fit(rows) for setting, rows in members.items()}
    overall = next(iter(filters.values())) if len(filters) == 1 else _fit(train)
    return LinearFloor(filters, overall)


def _fit(rows: Sequence[Row]) -> NDArray[np.float64]:
    return least_squares_fir((row.input, row.target) for row in rows)
