"""Planes over the controls, above values or through them, that stay above 0: by linear programs."""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse
from scipy.optimize import linprog
from torch import Tensor

LEAST = 1e-4  # of the largest value: a plane above some may fall far at a corner of the controls
LEAST_SHARE = 0.1  # of the smallest value, of a plane through them


def plane_above(features: Tensor, values: Tensor, edges: Tensor) -> Tensor:
    """The coefficients c of the plane `features c` that is under no row's value, and as a share of the values least.

    Args:
        features: Of each row, (rows, F).
        values: (rows,), 0 or more.
        edges: Where the plane is above 0 as well, (edges, F).
    """
    planes = torch.cat([features.double(), edges.double()]).numpy()
    least = LEAST * max(float(values.max()), float(np.finfo(np.float32).tiny))
    heights = np.concatenate([values.double().clamp(min=least).numpy(), np.full(len(edges), least)])
    # small values count as much as large ones, so that a knob that moves them by orders of magnitude is followed
    costs = (planes / heights[:, np.newaxis])[: len(values)].sum(axis=0)
    scale = float(heights.max())
    found = linprog(costs * scale, A_ub=-planes, b_ub=-heights / scale, bounds=(None, None))
    return scale * torch.from_numpy(found.x)


def plane_through(features: Tensor, values: Tensor, weights: Tensor, edges: Tensor) -> Tensor:
    """The coefficients c of the plane `features c` that is nearest to values, as shares of them, and above 0 at edges.

    What is least is the weighted sum of how far it is off: a value that is far off counts no more than it is.

    Args:
        features: Of each row, (rows, F).
        values: (rows,), above 0.
        weights: Of each row, (rows,), 0 or more.
        edges: Where the plane is above 0 as well, (edges, F).
    """
    own = (features.double() / values.double().unsqueeze(1)).numpy()
    rows, count = own.shape
    away = sparse.eye_array(rows)  # how far each is off: further unknowns
    within = sparse.block_array([[own, -away], [-own, -away], [-edges.double().numpy(), None]], format="csr")
    lowest = np.full(len(edges), -LEAST_SHARE * float(values[weights > 0].min()))
    found = linprog(
        np.concatenate([np.zeros(count), weights.double().numpy()]),
        A_ub=within,
        b_ub=np.concatenate([np.ones(rows), -np.ones(rows), lowest]),
        bounds=[(None, None)] * count + [(0, None)] * rows,
    )
    return torch.from_numpy(found.x[:count])
