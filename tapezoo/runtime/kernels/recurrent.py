"""What the recurrent kernels share: weights in blocks of units, four sums per unit, output layer, linear path."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from tapezoo.bundle import StateArrays
from tapezoo.bundle.play import Audio
from tapezoo.runtime.kernels.file import KernelFile, Weights
from tapezoo.runtime.kernels.filter import filter_chunk, make_context
from tapezoo.runtime.kernels.vector import LANES, add, compiled, fill, fma, load, spread, total

CHUNK_SAMPLES = 256
SUMS = 4  # per unit: a GRU's candidate has two, of the input and of the hidden state


@compiled
def four_sums(weights, start, bias, x, x_start, x_step, inputs, memory, units):  # type: ignore[no-untyped-def]
    """Four vectors: bias + W x + U h of one block of LANES units, for the four sums of each.

    Args:
        weights: Of all blocks; flat, as `_pack_layer` lays them out.
        start: Of the block in weights and in bias.
        bias: Of all blocks.
        x: With this sample's inputs at x_start, x_start + x_step, ...
        x_start: See x.
        x_step: See x.
        inputs: Their number.
        memory: Begins with the hidden state.
        units: A multiple of LANES.
    """
    a = load(bias, start[1])
    b = load(bias, start[1] + LANES)
    c = load(bias, start[1] + 2 * LANES)
    d = load(bias, start[1] + 3 * LANES)
    at = start[0]
    for index in range(inputs):
        value = spread(x, x_start + index * x_step)
        a = fma(value, load(weights, at), a)
        b = fma(value, load(weights, at + LANES), b)
        c = fma(value, load(weights, at + 2 * LANES), c)
        d = fma(value, load(weights, at + 3 * LANES), d)
        at += 4 * LANES
    zero = fill(np.float32(0))  # a second set, so that one multiplication need not wait for the other
    e, f, g, h = zero, zero, zero, zero
    for index in range(0, units, 2):
        value = spread(memory, index)
        a = fma(value, load(weights, at), a)
        b = fma(value, load(weights, at + LANES), b)
        c = fma(value, load(weights, at + 2 * LANES), c)
        d = fma(value, load(weights, at + 3 * LANES), d)
        value = spread(memory, index + 1)
        e = fma(value, load(weights, at + 4 * LANES), e)
        f = fma(value, load(weights, at + 5 * LANES), f)
        g = fma(value, load(weights, at + 6 * LANES), g)
        h = fma(value, load(weights, at + 7 * LANES), h)
        at += 8 * LANES
    return add(a, e), add(b, f), add(c, g), add(d, h)


@compiled
def readout(features, units, head, bias, taps, context, signal, output, samples):  # type: ignore[no-untyped-def]
    """output[n] = head . features[n] + bias[0] + sum_k taps[k] context[n + k]; the context moves on.

    Args:
        features: (samples, units), flat.
        units: A multiple of LANES.
        head: (units,).
        bias: (1,).
        taps: See `filter_chunk`, as all that follow.
        context: See there.
        signal: See there.
        output: See there.
        samples: See there.
    """
    filter_chunk(bias, taps, context, signal, output, samples)
    for sample in range(samples):
        sum_ = fill(np.float32(0))
        for unit in range(0, units, LANES):
            sum_ = fma(load(head, unit), load(features, sample * units + unit), sum_)
        output[sample] += total(sum_)


class Layer(Protocol):
    """One recurrent layer over a block; see `lstm.lstm_layer` and `gru.gru_layer`."""

    def __call__(
        self,
        x: Weights,
        x_sample: int,
        x_input: int,
        inputs: int,
        weights: Weights,
        bias: Weights,
        memory: Weights,
        features: Weights,
        units: int,
        samples: int,
    ) -> None:
        """Input i of sample n is x[n x_sample + i x_input]; features (samples, units) and memory are flat."""


class RecurrentVoice:
    """A recurrent net for one channel, see `tapezoo.runtime.kernels.channel.Voice`.

    Arrays of the file, H units, I inputs (1 + K in the first layer, H above): "layer_L.input" (4 H, I),
    "layer_L.hidden" (4 H, H), "layer_L.bias" (4 H,): H rows of the first of the four sums, then of the next, as the
    kernel names them; "head.weight" (H,), "head.bias" (1,); "taps" (T,), oldest first: the linear path,
    one zero for none.

    Args:
        file: With the setting "layers".
        layer: What one layer does.
        memories: Names of what a layer remembers, in the order of its memory; the linear path's is "past".

    Raises:
        ValueError: Arrays that do not fit together.
    """

    chunk_samples = CHUNK_SAMPLES

    def __init__(self, file: KernelFile, layer: Layer, memories: tuple[str, ...]) -> None:
        hidden_size = file.array("head.weight", None).shape[0]
        self._layer, self._memories, self._size = layer, memories, hidden_size
        self._units = -(-hidden_size // LANES) * LANES
        layers = int(file.settings["layers"])
        if not 1 <= layers <= len(file.arrays):
            raise ValueError(f"{layers} layers")
        self._inputs = [1 + file.num_controls, *[self._units] * (layers - 1)]
        packed = [_pack_layer(file, index, hidden_size, self._units) for index in range(layers)]
        self._weights = [weights for weights, _ in packed]
        self._bias = [bias for _, bias in packed]
        self._head = np.zeros(self._units, np.float32)
        self._head[:hidden_size] = file.array("head.weight", hidden_size)
        self._head_bias = file.array("head.bias", 1)
        self._taps = file.array("taps", None)
        self._memory = [np.zeros((len(memories), self._units), np.float32) for _ in range(layers)]
        self._flat_memory = [memory.reshape(-1) for memory in self._memory]
        self._context = make_context(len(self._taps), CHUNK_SAMPLES)
        self._features = [np.zeros(CHUNK_SAMPLES * self._units, np.float32) for _ in range(2)]

    def load(self, state: StateArrays) -> None:
        """See `Voice.load`."""
        for index, name in enumerate(self._memories):
            if state[name].shape != (len(self._memory), self._size):
                raise ValueError(f"{name} of shape {state[name].shape}")
            for memory, values in zip(self._memory, state[name], strict=True):
                memory[index] = 0
                memory[index, : self._size] = values
        if len(self._taps) > 1:
            self._context[: len(self._taps) - 1] = state["past"].reshape(len(self._taps) - 1)

    def save(self) -> StateArrays:
        """See `Voice.save`."""
        state = {
            name: np.stack([memory[index, : self._size] for memory in self._memory])
            for index, name in enumerate(self._memories)
        }
        if len(self._taps) > 1:
            state["past"] = self._context[np.newaxis, : len(self._taps) - 1].copy()
        return state

    def play(self, signal: Audio, output: Audio) -> None:
        """See `Voice.play`."""
        samples = signal.shape[1]
        x, x_sample, x_input = np.ascontiguousarray(signal).reshape(-1), 1, samples
        for index, inputs in enumerate(self._inputs):
            features = self._features[index % 2]
            self._layer(
                x,
                x_sample,
                x_input,
                inputs,
                self._weights[index],
                self._bias[index],
                self._flat_memory[index],
                features,
                self._units,
                samples,
            )
            x, x_sample, x_input = features, self._units, 1
        readout(
            x, self._units, self._head, self._head_bias, self._taps, self._context, signal[0], output, samples
        )


def _pack_layer(file: KernelFile, index: int, size: int, units: int) -> tuple[Weights, Weights]:
    """(weights, bias) of a layer, flat from (blocks, inputs + units, SUMS, LANES); units beyond `size` stay zero."""
    inputs = size if index else 1 + file.num_controls
    of_input = file.array(f"layer_{index}.input", SUMS * size, inputs)
    of_hidden = file.array(f"layer_{index}.hidden", SUMS * size, size)
    bias = file.array(f"layer_{index}.bias", SUMS * size)
    return (
        np.concatenate(
            [
                _blocks(of_input, size, units, units if index else inputs),
                _blocks(of_hidden, size, units, units),
            ],
            axis=1,
        ).reshape(-1),
        _blocks(bias[:, np.newaxis], size, units, 1).reshape(-1),
    )


def _blocks(matrix: Weights, size: int, units: int, columns: int) -> Weights:
    """(SUMS size, n) -> (units / LANES, columns, SUMS, LANES), filled up with zeros."""
    full = np.zeros((SUMS, units, columns), np.float32)
    full[:, :size, : matrix.shape[1]] = matrix.reshape(SUMS, size, -1)
    return full.reshape(SUMS, -1, LANES, columns).transpose(1, 3, 0, 2).copy()
