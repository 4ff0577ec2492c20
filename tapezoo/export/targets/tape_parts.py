"""What stands behind a net, as arrays for the kernel and for C++."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tapezoo.architecture.tape import PLACE_IN_MODULATION, PLACE_IN_NOISE, PLACE_IN_TRANSPORT
from tapezoo.cpp import Tape
from tapezoo.layers.delay_line import sinc_table
from tapezoo.taped import Taped

SILENT = 1e-12  # what sin(pi) leaves of a tap that is 0


def tape_of(net: Taped) -> Tape:
    """Its tape."""
    hop = reach = begin = 0
    curves, rest = np.zeros((0, 2)), net.rest_state(1)
    if net.transport is not None and net.delay is not None:
        # the second of the four coefficients around a point is its own
        curves = net.transport.windows[:, 1::4].numpy()
        hop, reach = net.transport.hop_samples, net.delay.reach_samples
        begin = int(rest[PLACE_IN_TRANSPORT])
    noise, modulation = (
        np.zeros(0, np.float32) if loop is None else loop.table.numpy()
        for loop in (net.noise, net.modulation)
    )
    aparts = [abs(int(rest[name])) if name in rest else 0 for name in (PLACE_IN_NOISE, PLACE_IN_MODULATION)]
    return Tape(
        curves, hop, reach, sinc_taps(), noise, modulation, net.smoothing_samples, begin, aparts[0], aparts[1]
    )


def sinc_taps() -> NDArray[np.float32]:
    """The windowed sinc, whose taps are exactly 0 at whole samples."""
    sinc = sinc_table().numpy()
    return np.where(np.abs(sinc) < SILENT, 0.0, sinc).astype(np.float32)
