"""A tape behind a net, in the file of a kernel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tapezoo.layers.delay_line import sinc_table
from tapezoo.runtime.kernels.file import KernelFile
from tapezoo.runtime.kernels.tape import KERNEL, NONLINEARITY
from tapezoo.taped import Taped

SILENT = 1e-12  # what sin(pi) leaves of a tap that is 0


def with_tape(file: KernelFile, net: Taped) -> KernelFile:
    """The file of the nonlinearity and of what stands behind it; see `tapezoo.runtime.kernels.tape.TapedChannel`."""
    arrays = dict(file.arrays)
    settings = {
        **file.settings,
        NONLINEARITY: file.kernel,
        "tape_smoothing_samples": str(net.smoothing_samples),
    }
    if net.transport is not None and net.delay is not None:
        # the second of the four coefficients around a point is its own
        curves = net.transport.windows[:, 1::4].numpy()
        sinc = sinc_table().numpy()
        arrays["tape.curves"] = curves.astype(np.float32)
        arrays["tape.curves_rest"] = (curves - arrays["tape.curves"]).astype(np.float32)
        arrays["tape.sinc"] = np.where(np.abs(sinc) < SILENT, 0.0, sinc).astype(np.float32)
        settings |= {
            "tape_hop_samples": str(net.transport.hop_samples),
            "tape_reach_samples": str(net.delay.reach_samples),
        }
    if net.noise is not None:
        arrays["tape.noise"] = net.noise.table.numpy()
    if net.modulation is not None:
        arrays["tape.modulation"] = net.modulation.table.numpy()
    return replace(file, kernel=KERNEL, arrays=arrays, settings=settings)
