"""The rows of a batch by the cells they belong to, and what they say about a cell's scale and limit."""

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
    """Of a batch.

    Args:
        cells: Which cell each row belongs to, (rows,).
        controls: (rows, K).
        input: (rows, 1, samples).
        target: (rows, 1, samples).
        heard: What the nets are fitted on; M itself, in no scale.
    """

    cells: Tensor
    controls: Tensor
    input: Tensor
    target: Tensor
    heard: Heard

    def numbers(self) -> list[int]:
        """The cells that have rows here."""
        return [int(cell) for cell in torch.unique(self.cells)]

    def fit_scale(self, weights: WeightsByControls, number: int, other: int | None = None) -> None:
        """Sets the scale of a cell by how much its rows change; it stays where none does.

        Args:
            weights: Of all cells.
            number: Of the cell.
            other: Whose scale it takes a multiple of; None: nobody's.
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
        """Moves the scale of a cell to where its rows and the net that was trained on them say."""
        own = self.cells == number
        controls, input, target = self.controls[own], self.input[own], self.target[own]
        with torch.no_grad():
            _, state = net(input[..., :1], controls, net.initial_state(controls))
            played, _ = net(input[..., 1:], controls, {**state, "output": target[..., 0]})
        # changes: what a row began with follows no scale
        true, found = target[..., 1:].diff().double(), played.diff().double()
        both = (true * found).sum(dim=(1, 2))
        ratios = both / (_energy(found) + 1e-30)
        alike = both.clamp(min=0.0).square() / (_energy(found) * _energy(true) + 1e-30)
        sure = torch.isfinite(alike) & (ratios > 0)
        if bool(sure.any()):
            weights.mend_scale(number, controls[sure], ratios[sure], alike[sure])

    def hold_within(self, weights: WeightsByControls, number: int) -> None:
        """Limits M of a cell."""
        own = self.cells == number
        weights.hold_within(number, self.controls[own], self.target[own].abs().amax(dim=(1, 2)))

    def fitted(self, weights: WeightsByControls, number: int, quiet_share: float) -> list[Rows]:
        """What a cell is fitted on, in its scale."""
        own = (self.cells == number).numpy()
        controls = self.controls[self.cells == number]
        scale = weights.scale(controls).double().numpy()
        heard = some_rows(self.heard, own).in_scale(scale)
        return rows_of(heard, weights.features(controls).double().numpy(), quiet_share)


def rows_of(heard: Heard, features: NDArray[np.float64], quiet_share: float) -> list[Rows]:
    """Rows of a cell, those at the same controls together, weighted so that an error of 1 is all of their energy.

    Args:
        heard: Of the rows.
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
    """Some rows of all.

    Args:
        heard: All.
        chosen: Which, (rows,).
    """
    inputs, place, *others = heard
    return Heard(inputs[chosen], place, *(part[chosen] for part in others))


def _energy(signals: Tensor) -> Tensor:
    """Of each row."""
    return signals.double().square().sum(dim=(1, 2))
