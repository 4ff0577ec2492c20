"""A GRU layer as a compiled loop."""

from __future__ import annotations

import numpy as np

from tapezoo.runtime.kernels.activations import LOGISTIC, power_of_two, soon_tanh
from tapezoo.runtime.kernels.file import KernelFile
from tapezoo.runtime.kernels.recurrent import RecurrentVoice, readout
from tapezoo.runtime.kernels.vector import (
    HOST_LANES,
    add,
    add_tile,
    compiled,
    div,
    fill_as,
    fma,
    lanes_of,
    load_as,
    narrow,
    store,
    sub,
)

FACTORS = (
    LOGISTIC,
    LOGISTIC,
    1.0,
    1.0,
)  # of r, z, m and m's hidden part: logistic functions are made of powers of two


@compiled
def gru_chunk(  # type: ignore[no-untyped-def]
    signal,
    input_sizes,
    weight,
    biases,
    memories,
    sums,
    feature,
    units,
    head,
    head_bias,
    taps,
    context,
    output,
):
    """See `tapezoo.runtime.kernels.recurrent.Chunk`; sums are r, z, and m of the input and of the hidden state.

    All in one function, as in `lstm_chunk`.
    """
    like = narrow(HOST_LANES)
    lanes, row, samples = lanes_of(like), 4 * units, len(output)
    one = fill_as(np.float32(1), like)
    x, place, x_sample, x_input = signal, 0, 1, samples
    for layer in range(len(weight)):
        inputs, weights, bias = input_sizes[layer], weight[layer], biases[layer]
        memory, features, at = memories[layer], feature[layer], place
        w = inputs * row
        for unit in range(0, units, lanes):
            store(features, unit, load_as(memory, unit, like))
        for sample in range(samples):
            hidden = sample * units
            unit = 0
            while units - unit >= 2 * lanes:
                s = 4 * unit
                add_tile(8, like, sums, s, bias, s, x, at, x_input, inputs, weights, s, row)
                add_tile(8, like, sums, s, sums, s, features, hidden, 1, units, weights, w + s, row)
                unit += 2 * lanes
            if unit < units:
                s = 4 * unit
                add_tile(4, like, sums, s, bias, s, x, at, x_input, inputs, weights, s, row)
                add_tile(4, like, sums, s, sums, s, features, hidden, 1, units, weights, w + s, row)
            at += x_sample
            for unit in range(0, units, lanes):
                s = 4 * unit
                r = div(load_as(sums, s + 3 * lanes, like), add(one, power_of_two(load_as(sums, s, like))))
                kept = div(one, add(one, power_of_two(load_as(sums, s + lanes, like))))
                m = soon_tanh(add(load_as(sums, s + 2 * lanes, like), r))
                before = load_as(features, hidden + unit, like)
                store(features, hidden + units + unit, fma(kept, sub(before, m), m))  # (1 - z) m + z h
        for unit in range(0, units, lanes):
            store(memory, unit, load_as(features, samples * units + unit, like))
        x, place, x_sample, x_input = features, units, units, 1
    readout(x, place, units, head, head_bias, taps, context, signal, output, samples)


def gru_voice(file: KernelFile) -> RecurrentVoice:
    """The kernel "gru": sums of a unit are r, z, m of the input, m of the hidden state."""
    return RecurrentVoice(file, gru_chunk, ("hidden",), FACTORS)
