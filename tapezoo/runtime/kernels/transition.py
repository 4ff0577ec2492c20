"""A state transition net as a compiled loop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tapezoo.bundle import StateArrays
from tapezoo.bundle.play import Audio
from tapezoo.runtime.kernels.file import KernelFile, Weights
from tapezoo.runtime.kernels.vector import (
    LANES,
    add,
    compiled,
    fill,
    fma,
    load,
    mul,
    soon_tanh,
    spread,
    store,
    tanh,
    total,
)

CHUNK_SAMPLES = 512
INPUTS = {"plain": 4, "sign": 5, "anhysteretic": 6}
SERIES_REACH = 0.5
NOTHING = 1e-30  # of a slope
AT_ONCE = 4  # columns of a matrix product
# where things begin among the weights, in one array, since every array of a call costs time: four vectors, the biases
# of the hidden layers, the columns that lead from the last units to the first layer's sums, those of the hidden layers,
# and those of inputs and controls
FEEDBACK, HEAD, FED_BIAS, FIRST_BIAS, BIASES = (LANES * place for place in range(5))


@compiled
def hear(signal, memory, weights, heard, steps, sums, settings, count, knobs_first):  # type: ignore[no-untyped-def]
    """The first layer's sums but for M, LANES of each sample, and the steps; the field's memory moves on.

    Args:
        signal: The field and the controls, (1 + K, samples).
        memory: H, H' and M of the sample before.
        weights: See `FEEDBACK`.
        heard: A buffer: H, H', and both one sample earlier; the soft sign of H'; b H; tanh(b H).
        steps: (samples,).
        sums: (samples + 1) vectors, flat.
        settings: alpha, rise, slope_scale, increment (0 for none), still and b.
        count: How many of the inputs are heard.
        knobs_first: Where the columns of inputs and controls begin in weights.
    """
    alpha, rise, scale, increment = settings[0], settings[1], settings[2], settings[3]
    H_1, dH_1 = memory[0], memory[1]
    gain, half, one = (np.float32(1) + alpha) * rise, np.float32(0.5) / rise, np.float32(1)
    square, nothing = settings[4] * settings[4], np.float32(NOTHING)
    samples = signal.shape[1]
    for n in range(samples):
        H = signal[0, n]
        dH = gain * (H - H_1) - alpha * dH_1
        # in silence it would creep on among denormals, which are slow
        dH = dH if abs(dH) > nothing else np.float32(0)
        heard[0, n], heard[1, n], heard[2, n], heard[3, n] = H, scale * dH, H_1, scale * dH_1
        steps[n] = increment / rise if increment else (dH + dH_1) * half
        heard[4, n] = dH
        H_1, dH_1 = H, dH
    memory[0], memory[1] = H_1, dH_1
    if count > 4:
        for n in range(samples):
            heard[4, n] *= one / np.sqrt(heard[4, n] * heard[4, n] + square)
    if count > 5:
        bend_curve(signal, settings[5], heard)
    for n in range(samples):
        sum_ = load(weights, FIRST_BIAS)
        for index in range(count):
            sum_ = fma(fill(heard[index, n]), load(weights, knobs_first + index * LANES), sum_)
        for index in range(1, signal.shape[0]):
            at = knobs_first + (count + index - 1) * LANES
            sum_ = fma(fill(signal[index, n]), load(weights, at), sum_)
        store(sums, n * LANES, sum_)


@compiled
def bend_curve(signal, bend, heard):  # type: ignore[no-untyped-def]
    """Langevin's function of b H, in heard[5]."""
    bent, curve, one = heard[6], heard[7], np.float32(1)
    samples = signal.shape[1]
    for n in range(samples):
        bent[n] = bend * signal[0, n]
    for start in range(0, samples, LANES):
        store(curve, start, tanh(load(bent, start)))
    for n in range(samples):
        x = bent[n]
        u = x * x
        series = np.float32(-1 / 4725) + u * np.float32(2 / 93555)
        series = np.float32(1 / 3) + u * (np.float32(-1 / 45) + u * (np.float32(2 / 945) + u * series))
        heard[5, n] = x * series if abs(x) < np.float32(SERIES_REACH) else one / curve[n] - one / x


@compiled
def mix_units(units, weights, start, bias, width):  # type: ignore[no-untyped-def]
    """Bias + W units, LANES sums; W as columns of LANES from `start` on, width a multiple of AT_ONCE."""
    zero = fill(np.float32(0))
    a, b, c, d = bias, zero, zero, zero  # four sums, so that one multiplication need not wait for the other
    for k in range(0, width, AT_ONCE):
        at = start + k * LANES
        a = fma(spread(units, k), load(weights, at), a)
        b = fma(spread(units, k + 1), load(weights, at + LANES), b)
        c = fma(spread(units, k + 2), load(weights, at + 2 * LANES), c)
        d = fma(spread(units, k + 3), load(weights, at + 3 * LANES), d)
    return add(add(a, b), add(c, d))


@compiled
def play_chunk(  # type: ignore[no-untyped-def]
    signal, output, memory, weights, heard, steps, sums, units, settings, count, layers, width
):
    """`M[n] = M[n-1] + steps[n] net`, sample by sample.

    What the next sample waits for does not go through the sum of the head's products, but straight to what the first
    layer makes of it: `feedback M[n] = feedback M[n-1] + steps[n] (fed units + fed_bias)`, `fed` the outer product of
    feedback and head. M itself is computed beside it from the same units, and M[n-1] is M's own, so that they cannot
    drift apart.

    Args:
        signal: See `hear`, as all without a line here.
        output: (samples,).
        memory: See there.
        weights: See there.
        heard: See there.
        steps: See there.
        sums: See there.
        units: A buffer of one vector.
        settings: The head's bias is the last one.
        count: See there.
        layers: All with a tanh.
        width: Units of each, a multiple of AT_ONCE.
    """
    fed = BIASES + (layers - 1) * LANES
    hidden = fed + width * LANES
    hear(signal, memory, weights, heard, steps, sums, settings, count, hidden + (layers - 1) * width * LANES)
    M, head_bias = memory[2], settings[6]
    to_sums, head, offset = load(weights, FEEDBACK), load(weights, HEAD), load(weights, FED_BIAS)
    pre = fma(fill(M), to_sums, load(sums, 0))
    for n in range(len(output)):
        ahead = fma(fill(M), to_sums, load(sums, (n + 1) * LANES))
        a = soon_tanh(pre)
        for layer in range(layers - 1):
            store(units, 0, a)
            bias = load(weights, BIASES + layer * LANES)
            a = soon_tanh(mix_units(units, weights, hidden + layer * width * LANES, bias, width))
        store(units, 0, a)
        step = steps[n]
        pre = fma(fill(step), mix_units(units, weights, fed, offset, width), ahead)
        M += step * (head_bias + total(mul(head, a)))
        output[n] = M
    memory[2] = M


class TransitionVoice:
    """A state transition net for one channel, see `tapezoo.runtime.kernels.channel.Voice`.

    Arrays of the file, W units, I inputs, K controls, L layers: "first.weight" (W, I + 1 + K): inputs, M, controls;
    "first.bias" (W,); "hidden.weight" (L - 1, W, W) and "hidden.bias" (L - 1, W), none for L = 1; "head.weight"
    (W,), "head.bias" (1,); "bend" (1,) where the inputs are "anhysteretic".

    Args:
        file: With the settings "layers", "inputs", "increment" (0 for none), "alpha", "rise", "slope_scale" and
            "still", see `tapezoo.architecture.Transition`.

    Raises:
        ValueError: Arrays that do not fit together, or settings out of their range.
    """

    chunk_samples = CHUNK_SAMPLES

    def __init__(self, file: KernelFile) -> None:
        size = file.array("head.weight", None).shape[0]
        layers, inputs = int(file.settings["layers"]), file.settings["inputs"]
        if inputs not in INPUTS or not 1 <= layers <= 256 or size > LANES:
            raise ValueError(f"{layers} layers of {size} units with the inputs {inputs!r}")
        self._layers, self._width = layers, -(-size // AT_ONCE) * AT_ONCE
        self._count = count = INPUTS[inputs]
        first = file.array("first.weight", size, count + 1 + file.num_controls)
        head, head_bias = file.array("head.weight", size), file.array("head.bias", 1)[0]
        feedback, heard = first[:, count], np.delete(first, count, axis=1)
        vectors = [feedback, head, feedback * head_bias, file.array("first.bias", size)]
        matrices: Sequence[Weights] = []
        if layers > 1:
            vectors += list(file.array("hidden.bias", layers - 1, size))
            matrices = list(file.array("hidden.weight", layers - 1, size, size))
        columns = [_columns(np.outer(feedback, head), self._width)]
        columns += [_columns(matrix, self._width) for matrix in matrices]
        self._weights = np.concatenate([*(_vector(values) for values in vectors), *columns, _columns(heard)])
        names = ("alpha", "rise", "slope_scale", "increment", "still")
        settings = [float(file.settings[name]) for name in names]
        if not (0 <= settings[0] < 1 <= settings[1] and settings[4] > 0 and np.isfinite(settings).all()):
            raise ValueError(f"settings {dict(zip(names, settings, strict=True))}")
        bend = file.array("bend", 1)[0] if inputs == "anhysteretic" else 0.0
        self._settings = np.array([*settings, bend, head_bias], np.float32)
        self._memory = np.zeros(3, np.float32)
        self._heard, self._steps = (
            np.zeros((8, CHUNK_SAMPLES), np.float32),
            np.zeros(CHUNK_SAMPLES, np.float32),
        )
        self._sums = np.zeros((CHUNK_SAMPLES + 1) * LANES, np.float32)
        self._units = np.zeros(LANES, np.float32)

    def load(self, state: StateArrays) -> None:
        """See `Voice.load`."""
        for index, name in enumerate(("field", "slope", "output")):
            if state[name].shape != (1,):
                raise ValueError(f"{name} of shape {state[name].shape}")
            self._memory[index] = state[name][0]

    def save(self) -> StateArrays:
        """See `Voice.save`."""
        return {name: self._memory[[index]] for index, name in enumerate(("field", "slope", "output"))}

    def play(self, signal: Audio, output: Audio) -> None:
        """See `Voice.play`."""
        play_chunk(
            signal,
            output,
            self._memory,
            self._weights,
            self._heard,
            self._steps,
            self._sums,
            self._units,
            self._settings,
            self._count,
            self._layers,
            self._width,
        )


def _vector(values: Weights) -> Weights:
    """LANES of them, filled up with zeros."""
    full = np.zeros(LANES, np.float32)
    full[: len(values)] = values
    return full


def _columns(matrix: Weights, count: int = 0) -> Weights:
    """(W, n) -> the n columns as vectors, at least `count`, flat."""
    columns = [_vector(column) for column in matrix.T]
    columns += [np.zeros(LANES, np.float32)] * (count - len(columns))
    return np.concatenate(columns)
