"""An LSTM layer as a compiled loop."""

from __future__ import annotations

import numpy as np

from tapezoo.runtime.kernels.activations import LOGISTIC, gate_tanh, power_of_two
from tapezoo.runtime.kernels.file import KernelFile
from tapezoo.runtime.kernels.recurrent import RecurrentVoice, readout
from tapezoo.runtime.kernels.vector import (
    HOST_LANES,
    add,
    add_tile,
    compiled,
    div,
    fill_as,
    lanes_of,
    load_as,
    narrow,
    store,
)

FACTORS = (LOGISTIC, LOGISTIC, 1.0, LOGISTIC)  # of i, f, g, o: logistic functions are made of powers of two


@compiled
def lstm_chunk(  # type: ignore[no-untyped-def]
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
    """See `tapezoo.runtime.kernels.recurrent.Chunk`; memory is (hidden, cell), sums are i, f, g, o as in PyTorch.

    Two vectors of units at a time; the last one or two finish late. Meanwhile the next sample sums the contributions of
    all others, since processors look some 200 operations ahead. All in one function: a call would count references to
    every array, and a function for a layer would be compiled twice, alone and in here.
    """
    like = narrow(HOST_LANES)
    lanes, row, samples = lanes_of(like), 4 * units, len(output)
    pair, late = 2 * lanes, (units // lanes - 1) // 2 * 2 * lanes
    rest, one = units - late, fill_as(np.float32(1), like)
    x, place, x_sample, x_input = signal, 0, 1, samples
    for layer in range(len(weight)):
        inputs, weights, bias = input_sizes[layer], weight[layer], biases[layer]
        memory, features, at = memories[layer], feature[layer], place
        of_hidden = inputs * row
        of_late = of_hidden + late * row
        for unit in range(0, units, lanes):
            store(features, unit, load_as(memory, unit, like))
        for sample in range(-1, samples):
            hidden = sample * units
            missing, after = hidden + late, hidden + units
            if sample >= 0:
                for unit in range(0, units, pair):
                    s = 4 * unit
                    if units - unit < pair:
                        add_tile(
                            4, like, sums, s, sums, s, features, missing, 1, rest, weights, of_late + s, row
                        )
                    else:
                        add_tile(
                            8, like, sums, s, sums, s, features, missing, 1, rest, weights, of_late + s, row
                        )
                    for shown in range(max(unit - pair, 0), unit, lanes):
                        opened = load_as(sums, 4 * shown, like)
                        store(
                            features, after + shown, gate_tanh(load_as(memory, units + shown, like), opened)
                        )
                    for cell in range(unit, min(unit + pair, units), lanes):
                        s = 4 * cell
                        i, f = (
                            power_of_two(load_as(sums, s, like)),
                            power_of_two(load_as(sums, s + lanes, like)),
                        )
                        new = gate_tanh(load_as(sums, s + 2 * lanes, like), i)
                        # one division for both would have a longer latency
                        kept = div(load_as(memory, units + cell, like), add(one, f))
                        store(memory, units + cell, add(kept, new))
                        store(sums, s, power_of_two(load_as(sums, s + 3 * lanes, like)))
            for unit in range(0, units, pair):
                if unit == late and sample >= 0:
                    for shown in range(late, units, lanes):
                        opened = load_as(sums, 4 * shown, like)
                        store(
                            features, after + shown, gate_tanh(load_as(memory, units + shown, like), opened)
                        )
                s = 4 * unit
                if sample + 1 == samples:
                    continue
                if units - unit < pair:
                    add_tile(4, like, sums, s, bias, s, x, at, x_input, inputs, weights, s, row)
                    add_tile(4, like, sums, s, sums, s, features, after, 1, late, weights, of_hidden + s, row)
                else:
                    add_tile(8, like, sums, s, bias, s, x, at, x_input, inputs, weights, s, row)
                    add_tile(8, like, sums, s, sums, s, features, after, 1, late, weights, of_hidden + s, row)
            at += x_sample
        for unit in range(0, units, lanes):
            store(memory, unit, load_as(features, samples * units + unit, like))
        x, place, x_sample, x_input = features, units, units, 1
    readout(x, place, units, head, head_bias, taps, context, signal, output, samples)


def lstm_voice(file: KernelFile) -> RecurrentVoice:
    """The kernel "lstm": sums of a unit are i, f, g, o."""
    return RecurrentVoice(file, lstm_chunk, ("hidden", "cell"), FACTORS)
