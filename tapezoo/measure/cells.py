"""How well each net of a table was fitted, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapezoo.controls import Control
from tapezoo.layers.weight_table import WeightTable

FAR_OFF = 4.0  # times the median error: a net that was not fitted as well as the others


@dataclass(frozen=True)
class CellErrors:
    """The errors of every cell of a grid.

    Args:
        controls: That have axes, in the order of the axes.
        missed: Share of its rows' energy that each cell's net missed when it was fitted last; infinite where none was.
    """

    controls: tuple[Control, ...]
    missed: NDArray[np.float64]

    @property
    def done(self) -> NDArray[np.float64]:
        """The errors of the cells that were fitted, (cells,)."""
        found: NDArray[np.float64] = self.missed[np.isfinite(self.missed)]
        return found

    def values(self, axis: int) -> list[float]:
        """Where the cells stand on an axis, in the control's unit."""
        positions = np.linspace(0.0, 1.0, self.missed.shape[axis])
        return [self.controls[axis].denormalize(float(position)) for position in positions]

    def place(self, cell: Sequence[int]) -> str:
        """A cell as text: saturation=0.5, bias=1."""
        parts = []
        for axis, step in enumerate(cell):
            control = self.controls[axis]
            parts.append(f"{control.name}={self.values(axis)[step]:.4g} {control.unit}".rstrip())
        return ", ".join(parts)

    def far_off(self) -> list[tuple[int, ...]]:
        """Cells that missed more than `FAR_OFF` times what the median cell did, the worst first."""
        if not len(self.done):
            return []
        limit = FAR_OFF * float(np.median(self.done))
        found = [
            tuple(map(int, cell)) for cell in np.argwhere((self.missed > limit) & np.isfinite(self.missed))
        ]
        return sorted(found, key=lambda cell: -self.missed[cell])


def cell_errors(weights: WeightTable, controls: Sequence[Control]) -> CellErrors:
    """The errors of a table of weights that has these controls."""
    errors = weights.errors.double().numpy().reshape(weights.shape)
    return CellErrors(tuple(controls[control] for control in weights.on_axes), errors)
