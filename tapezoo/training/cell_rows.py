"""The rows of a batch by cell, and the scale and limit that follow from them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tapezoo.layers.transition_fit import Heard
from tapezoo.layers.transition_weights import WeightsByControls
from tapezoo.net import Net
from tapezoo.training.least_squares import Rows


class CellRows(NamedTuple):
    """The rows of a batch.

    Args:
        cells: The cell that each row belongs to, (rows,).
        controls: (rows, K).
        input: (rows, 1, samples).
        target: (rows, 1, samples).
        heard: The data that the nets are fitted on, with M unscaled.
    """

    cells: Tensor
    controls: Tensor
    input: Tensor
    target: Tensor
    heard: Heard

    def numbers(self) -> list[int]:
        """The cells that have rows in this batch."""
        return [int(cell) for cell in torch.unique(self.cells)]

    def fit_scale(self, weights: WeightsByControls, number: int, other: int | None = None) -> None:
        """Sets the scale of a cell from how much its rows change; if none does, the scale is left as it is.

        Args:
            weights: The weights of all cells.
            number: The cell.
            other: The cell whose scale is multiplied; None: the scale is fitted anew.
        """
        changes = (_energy(self.target.diff()) / (_energy(self.input.diff()) + 1e-30)).sqrt()
        own = (self.cells == number) & (changes > 0)
        if not bool(own.any()):
            return
        if other is None:
            weights.fit_scale(number, self.controls[own], changes[own])
        else:
            weights.take_scale(number, other, self.controls[own], changes[own])

    def mend_scale(self, weights: WeightsByControls, number: int, net: Net) -> None:
        """Corrects the scale of a cell from its rows and the net that was trained on them."""
        own = self.cells == number
        controls, input, target = self.controls[own], self.input[own], self.target[own]
        with torch.no_grad():
            _, state = net(input[..., :1], controls, net.initial_state(controls))
            played, _ = net(input[..., 1:], controls, {**state, "output": target[..., 0]})
        # changes, since the initial value of a row is independent of the scale
        true, found = target[..., 1:].diff().double(), played.diff().double()
        both = (true * found).sum(dim=(1, 2))
        ratios = both / (_energy(found) + 1e-30)
        alike = both.clamp(min=0.0).square() / (_energy(found) * _energy(true) + 1e-30)
        sure = torch.isfinite(alike) & (ratios > 0)
        if bool(sure.any()):
            weights.mend_scale(number, controls[sure], ratios[sure], alike[sure])

    def hold_within(self, weights: WeightsByControls, number: int) -> None:
        """Sets the limit of M of a cell."""
        own = self.cells == number
        weights.hold_within(number, self.controls[own], self.target[own].abs().amax(dim=(1, 2)))

    def fitted(self, weights: WeightsByControls, number: int, quiet_share: float) -> list[Rows]:
        """The data that a cell is fitted on, in its scale."""
        own = (self.cells == number).numpy()
        controls = self.controls[self.cells == number]
        scale = weights.scale(controls).double().numpy()
        heard = some_rows(self.heard, own).in_scale(scale)
        return rows_of(heard, weights.features(controls).double().numpy(), quiet_share)


def rows_of(heard: Heard, features: NDArray[np.float64], quiet_share: float) -> list[Rows]:
    """Rows of a cell, grouped by controls, and weighted so that an error of 1 equals their whole energy.

    Args:
        heard: The data of the rows.
        features: (rows, F).
        quiet_share: See `tapezoo.training.CellLevenbergMarquardt`.
    """
    rms = np.sqrt(np.square(heard.target).mean(axis=1))
    scale = 1.0 / np.maximum(rms, max(quiet_share * rms.max(), 1e-12))
    energy = float((np.square(heard.target).sum(axis=1) * scale**2).sum())
    heard = heard._replace(scale=scale / np.sqrt(max(energy, 1e-12)))
    kinds, kind = np.unique(features, axis=0, return_inverse=True)
    return [Rows(some_rows(heard, kind == number), each) for number, each in enumerate(kinds)]


def some_rows(heard: Heard, chosen: NDArray[np.bool_]) -> Heard:
    """A selection of rows.

    Args:
        heard: All rows.
        chosen: Which rows to select, (rows,).
    """
    inputs, place, *others = heard
    return Heard(inputs[chosen], place, *(part[chosen] for part in others))


def _energy(signals: Tensor) -> Tensor:
    """The energy of each row."""
    return signals.double().square().sum(dim=(1, 2))
