"""A tape behind a net, in the file of a kernel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tapezoo.export.targets.tape_parts import tape_of
from tapezoo.runtime.kernels.file import KernelFile
from tapezoo.runtime.kernels.tape import KERNEL, NONLINEARITY
from tapezoo.taped import Taped


def with_tape(file: KernelFile, net: Taped) -> KernelFile:
    """The file of the nonlinearity and of what stands behind it; see `tapezoo.runtime.kernels.tape.TapedChannel`."""
    tape, arrays = tape_of(net), dict(file.arrays)
    settings = {
        **file.settings,
        NONLINEARITY: file.kernel,
        "tape_smoothing_samples": str(tape.smoothing_samples),
    }
    if len(tape.curves):
        arrays["tape.curves"] = tape.curves.astype(np.float32)
        arrays["tape.curves_rest"] = (tape.curves - arrays["tape.curves"]).astype(np.float32)
        arrays["tape.sinc"] = tape.sinc
        settings |= {
            "tape_hop_samples": str(tape.hop_samples),
            "tape_reach_samples": str(tape.reach_samples),
        }
    if len(tape.noise):
        arrays["tape.noise"] = tape.noise
    if len(tape.modulation):
        arrays["tape.modulation"] = tape.modulation
    return replace(file, kernel=KERNEL, arrays=arrays, settings=settings)
