"""Planes over the controls, above given values or fitted to them, that stay above 0: by linear programs."""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse
from scipy.optimize import linprog
from torch import Tensor

LEAST = 1e-4  # of the largest value: the least height of a plane, even at a corner of the controls
LEAST_SHARE = 0.1  # of the smallest value: the least height of a fitted plane at the edges


def plane_above(features: Tensor, values: Tensor, edges: Tensor) -> Tensor:
    """The coefficients c of the lowest plane `features c` that is nowhere below the values, in relative terms.

    Args:
        features: Features of each row, (rows, F).
        values: (rows,), 0 or more.
        edges: Features of further points at which the plane must be above 0, (edges, F).
    """
    planes = torch.cat([features.double(), edges.double()]).numpy()
    least = LEAST * max(float(values.max()), float(np.finfo(np.float32).tiny))
    heights = np.concatenate([values.double().clamp(min=least).numpy(), np.full(len(edges), least)])
    # relative, so that small values count like large ones and a knob may scale them by orders of magnitude
    costs = (planes / heights[:, np.newaxis])[: len(values)].sum(axis=0)
    scale = float(heights.max())
    found = linprog(costs * scale, A_ub=-planes, b_ub=-heights / scale, bounds=(None, None))
    return scale * torch.from_numpy(found.x)


def plane_through(features: Tensor, values: Tensor, weights: Tensor, edges: Tensor) -> Tensor:
    """The coefficients c of the plane `features c` closest to the values, in relative terms, and above 0 at the edges.

    Minimises the weighted sum of the relative errors; they are not squared, so outliers have little influence.

    Args:
        features: Features of each row, (rows, F).
        values: (rows,), above 0.
        weights: Weight of each row, (rows,), 0 or more.
        edges: Features of further points at which the plane must be above 0, (edges, F).
    """
    own = (features.double() / values.double().unsqueeze(1)).numpy()
    rows, count = own.shape
    away = sparse.eye_array(rows)  # the error of each row: further unknowns
    within = sparse.block_array([[own, -away], [-own, -away], [-edges.double().numpy(), None]], format="csr")
    lowest = np.full(len(edges), -LEAST_SHARE * float(values[weights > 0].min()))
    found = linprog(
        np.concatenate([np.zeros(count), weights.double().numpy()]),
        A_ub=within,
        b_ub=np.concatenate([np.ones(rows), -np.ones(rows), lowest]),
        bounds=[(None, None)] * count + [(0, None)] * rows,
    )
    return torch.from_numpy(found.x[:count])
