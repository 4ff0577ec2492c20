"""A GRU layer as a compiled loop."""

from __future__ import annotations

from tapezoo.runtime.kernels.file import KernelFile
from tapezoo.runtime.kernels.recurrent import RecurrentVoice, four_sums
from tapezoo.runtime.kernels.vector import LANES, compiled, fma, load, sigmoid, store, sub, tanh


@compiled
def gru_layer(x, x_sample, x_input, inputs, weights, bias, memory, features, units, samples):  # type: ignore[no-untyped-def]
    """See `tapezoo.runtime.kernels.recurrent.Layer`; sums are r, z, and m of the input and of the hidden state."""
    row = 4 * LANES * (inputs + units)
    for sample in range(samples):
        for block in range(units // LANES):
            unit = block * LANES
            start = (block * row, 4 * unit)
            r, z, m, u = four_sums(weights, start, bias, x, sample * x_sample, x_input, inputs, memory, units)
            m = tanh(fma(sigmoid(r), u, m))
            # h' = (1 - z) m + z h
            store(features, sample * units + unit, fma(sigmoid(z), sub(load(memory, unit), m), m))
        for unit in range(0, units, LANES):  # only now: every block reads the hidden state before this sample
            store(memory, unit, load(features, sample * units + unit))


def gru_voice(file: KernelFile) -> RecurrentVoice:
    """The kernel "gru": sums of a unit are r, z, m of the input, m of the hidden state."""
    return RecurrentVoice(file, gru_layer, ("hidden",))
