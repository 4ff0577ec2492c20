"""The loop of a state transition net over samples, in as many lanes as its layers have units."""

from __future__ import annotations

import numpy as np

from tapezoo.runtime.kernels.activations import soon_tanh, tanh
from tapezoo.runtime.kernels.turned import product, store_outer
from tapezoo.runtime.kernels.vector import (
    LANES,
    add,
    compiled,
    fill_as,
    fma,
    lanes_of,
    load,
    load_as,
    mul,
    narrow,
    store,
    total,
)

SERIES_REACH = 0.5
NOTHING = 1e-30  # of a slope
HEARD = 6  # columns of the first layer that are not controls; those without an input are zeros
# The weights are vectors in one array, since every array of a call costs time: the first 1 + lanes of them, feedback
# times head, are made of the others by `derive`. Then the column of M in the first layer, the head, in every lane its
# bias, in every lane what M is held within, the bias of the first layer, those of the hidden layers, the terms of their
# matrices (`turned`), the columns of what is heard and of the controls.
FEEDBACK, HEAD, HEAD_BIAS, LIMIT, FIRST_BIAS, BIASES = range(6)
# the settings, by their place
ALPHA, RISE, SLOPE_SCALE, INCREMENT, STILL, BEND, LAYERS, INPUTS, MIRRORED = range(9)


@compiled
def derive(like, weights):  # type: ignore[no-untyped-def]
    """The vectors that follow from the others."""
    lanes = lanes_of(like)
    own = (1 + lanes) * lanes
    feedback = load_as(weights, own + FEEDBACK * lanes, like)
    store(weights, 0, mul(feedback, load_as(weights, own + HEAD_BIAS * lanes, like)))
    store_outer(weights, lanes, feedback, load_as(weights, own + HEAD * lanes, like))


@compiled
def bend_curve(signal, bend, bent, curve):  # type: ignore[no-untyped-def]
    """Langevin's function of b H, in `curve`; both buffers are longer than the field, by what fills a vector."""
    one, samples = np.float32(1), signal.shape[1]
    for n in range(samples):
        bent[n] = bend * signal[0, n]
    for start in range(0, samples, LANES):
        store(curve, start, tanh(load(bent, start)))
    for n in range(samples):
        x = bent[n]
        u = x * x
        series = np.float32(-1 / 4725) + u * np.float32(2 / 93555)
        series = np.float32(1 / 3) + u * (np.float32(-1 / 45) + u * (np.float32(2 / 945) + u * series))
        curve[n] = x * series if abs(x) < np.float32(SERIES_REACH) else one / curve[n] - one / x


@compiled
def play(like, signal, output, memory, weights, curves, settings, start, stop, controls):  # type: ignore[no-untyped-def]
    """`M[n] = M[n-1] + step[n] net(heard[n], turn[n] M[n-1])`, sample by sample.

    The dependency from sample to sample does not go through the sum of the head's products, but straight to the first
    layer's input: `feedback M[n] = feedback M[n-1] + step[n] (fed units + fed_bias)`, `fed` the outer product of
    feedback and head. M itself is computed beside it from the same units, and M[n-1] is M's own, so that they cannot
    drift apart. A sample's inputs are computed while the one before it waits for its units, in the same function,
    since a call would send all vectors through memory.

    Args:
        like: A vector of any numbers, as many as there are lanes.
        signal: The field and the controls, (1 + K, samples).
        output: (samples,).
        memory: H, H' and M of the sample before.
        weights: See `BIASES`, flat.
        curves: Two buffers, (2, samples and a vector), of the anhysteretic curve alone.
        settings: See `ALPHA`.
        start: The first sample.
        stop: The one after the last.
        controls: How many are inputs.
    """
    lanes, layers, heard = lanes_of(like), int(settings[LAYERS]), int(settings[INPUTS])
    own = (1 + lanes) * lanes
    biases = own + BIASES * lanes
    hidden = biases + (layers - 1) * lanes
    first = hidden + (layers - 1) * lanes * lanes
    fed_bias, feedback = load_as(weights, 0, like), load_as(weights, own + FEEDBACK * lanes, like)
    head, head_bias = load_as(weights, own + HEAD * lanes, like), weights[own + HEAD_BIAS * lanes]
    limit, first_bias = weights[own + LIMIT * lanes], load_as(weights, own + FIRST_BIAS * lanes, like)
    alpha, scale, square = settings[ALPHA], settings[SLOPE_SCALE], settings[STILL] * settings[STILL]
    gain, half = (np.float32(1) + alpha) * settings[RISE], np.float32(0.5) / settings[RISE]
    increment, falling = settings[INCREMENT] / settings[RISE], np.float32(-1 if settings[MIRRORED] else 1)
    one, nothing = np.float32(1), np.float32(NOTHING)
    ones, curve = fill_as(one, like), curves[1]
    if heard > 5:
        bend_curve(signal, settings[BEND], curves[0], curve)
    last, last_slope, M = memory[0], memory[1], memory[2]
    step, pre = np.float32(0), fill_as(np.float32(0), like)  # nothing moves M before the first sample
    for n in range(start, stop + 1):
        # the inputs of sample n; after the last sample they are not used
        memory[0], memory[1] = last, last_slope
        at = min(n, stop - 1)
        field = signal[0, at]
        slope = gain * (field - last) - alpha * last_slope
        # in silence it would decay into denormals, which are slow
        slope = slope if abs(slope) > nothing else np.float32(0)
        way = slope + last_slope
        turn = one if way >= 0 else falling
        scaled = turn * scale
        sums = fma(fill_as(turn * field, like), load_as(weights, first, like), first_bias)
        more = mul(fill_as(scaled * slope, like), load_as(weights, first + lanes, like))
        sums = fma(fill_as(turn * last, like), load_as(weights, first + 2 * lanes, like), sums)
        more = fma(fill_as(scaled * last_slope, like), load_as(weights, first + 3 * lanes, like), more)
        if heard > 4:
            sign = slope * (one / np.sqrt(slope * slope + square))
            sums = fma(fill_as(sign, like), load_as(weights, first + 4 * lanes, like), sums)
        if heard > 5:
            more = fma(fill_as(curve[at], like), load_as(weights, first + 5 * lanes, like), more)
        for control in range(1, controls + 1):
            column = load_as(weights, first + (HEARD - 1 + control) * lanes, like)
            sums = fma(fill_as(signal[control, at], like), column, sums)
        # sample n - 1
        moved = fill_as(turn * step, like)
        sums = fma(moved, fed_bias, fma(fill_as(turn * M, like), feedback, add(sums, more)))
        units = soon_tanh(pre)
        for layer in range(layers - 1):
            bias = load_as(weights, biases + layer * lanes, like)
            units = soon_tanh(product(units, weights, hidden + layer * lanes * lanes, ones, bias))
        pre = product(units, weights, lanes, moved, sums)
        M += step * (head_bias + total(mul(head, units)))
        # rare, so the next sample does not wait for it until it happens; M before the first may be beyond this limit
        if abs(M) > limit and n > start:
            held = limit if M > 0 else -limit
            pre = fma(fill_as(turn * (held - M), like), feedback, pre)
            M = held
        output[max(n - 1, start)] = M
        last, last_slope = field, slope
        step = increment if increment else way * half
    memory[2] = M


@compiled
def derive_4(weights):  # type: ignore[no-untyped-def]
    """See `derive`."""
    derive(narrow(4), weights)


@compiled
def derive_8(weights):  # type: ignore[no-untyped-def]
    """See `derive`."""
    derive(narrow(8), weights)


@compiled
def derive_16(weights):  # type: ignore[no-untyped-def]
    """See `derive`."""
    derive(narrow(16), weights)


@compiled
def play_4(signal, output, memory, weights, curves, settings):  # type: ignore[no-untyped-def]
    """See `play`."""
    controls, samples = signal.shape[0] - 1, len(output)
    play(narrow(4), signal, output, memory, weights, curves, settings, 0, samples, controls)


@compiled
def play_8(signal, output, memory, weights, curves, settings):  # type: ignore[no-untyped-def]
    """See `play`."""
    controls, samples = signal.shape[0] - 1, len(output)
    play(narrow(8), signal, output, memory, weights, curves, settings, 0, samples, controls)


@compiled
def play_16(signal, output, memory, weights, curves, settings):  # type: ignore[no-untyped-def]
    """See `play`."""
    controls, samples = signal.shape[0] - 1, len(output)
    play(narrow(16), signal, output, memory, weights, curves, settings, 0, samples, controls)
