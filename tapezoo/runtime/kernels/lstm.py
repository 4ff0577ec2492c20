"""An LSTM layer as a compiled loop."""

from __future__ import annotations

from tapezoo.runtime.kernels.file import KernelFile
from tapezoo.runtime.kernels.recurrent import RecurrentVoice, four_sums
from tapezoo.runtime.kernels.vector import LANES, compiled, fma, load, mul, sigmoid, store, tanh


@compiled
def lstm_layer(x, x_sample, x_input, inputs, weights, bias, memory, features, units, samples):  # type: ignore[no-untyped-def]
    """See `tapezoo.runtime.kernels.recurrent.Layer`; memory is (hidden, cell), sums are i, f, g, o as in PyTorch."""
    row = 4 * LANES * (inputs + units)
    for sample in range(samples):
        for block in range(units // LANES):
            unit = block * LANES
            start = (block * row, 4 * unit)
            i, f, g, o = four_sums(weights, start, bias, x, sample * x_sample, x_input, inputs, memory, units)
            cell = fma(sigmoid(f), load(memory, units + unit), mul(sigmoid(i), tanh(g)))
            store(memory, units + unit, cell)
            store(features, sample * units + unit, mul(sigmoid(o), tanh(cell)))
        for unit in range(0, units, LANES):  # only now: every block reads the hidden state before this sample
            store(memory, unit, load(features, sample * units + unit))


def lstm_voice(file: KernelFile) -> RecurrentVoice:
    """The kernel "lstm": sums of a unit are i, f, g, o."""
    return RecurrentVoice(file, lstm_layer, ("hidden", "cell"))
