"""Where the rows of a batch begin in the loops of a tape's noise."""

from __future__ import annotations

import numpy as np

from tapezoo.architecture.tape import PLACE_IN_MODULATION, PLACE_IN_NOISE
from tapezoo.bundle import StateArrays


def begun_rows(state: StateArrays) -> StateArrays:
    """The state with a place in the noises for every row, see `tapezoo.layers.looped_table.LoopedTable.begun`."""
    begun = dict(state)
    for name in (PLACE_IN_NOISE, PLACE_IN_MODULATION):
        if name in state:
            begun[name] = np.maximum(state[name], 0) - np.cumsum(np.minimum(state[name], 0), axis=0)
    return begun
