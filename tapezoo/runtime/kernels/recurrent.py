"""What the recurrent kernels share: weights in blocks of units, four sums per unit, output layer, linear path."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

import numpy as np

from tapezoo.bundle import StateArrays
from tapezoo.bundle.play import Audio
from tapezoo.runtime.kernels.file import KernelFile, Weights
from tapezoo.runtime.kernels.filter import filter_chunk, make_context
from tapezoo.runtime.kernels.vector import HOST_LANES, compiled, fma, lanes_of, load_as, narrow, total

CHUNK_SAMPLES = 256
SUMS = 4  # per unit: a GRU's candidate has two, of the input and of the hidden state


@compiled
def readout(features, at, units, head, bias, taps, context, signal, output, samples):  # type: ignore[no-untyped-def]
    """output[n] = head . features[n] + bias[0] + sum_k taps[k] context[n + k]; the context moves on.

    Args:
        features: (samples, units), flat.
        at: Where they begin.
        units: A multiple of HOST_LANES.
        head: (units,).
        bias: (1,).
        taps: See `filter_chunk`, as all that follow.
        context: See there.
        signal: See there.
        output: See there.
        samples: See there.
    """
    like = narrow(HOST_LANES)
    filter_chunk(bias, taps, context, signal, output, samples)
    for sample in range(samples):
        sum_ = like
        for unit in range(0, units, lanes_of(like)):
            sum_ = fma(load_as(head, unit, like), load_as(features, at + sample * units + unit, like), sum_)
        output[sample] += total(sum_)


class Chunk(Protocol):
    """All layers and the output of one chunk; see `lstm.lstm_chunk` and `gru.gru_chunk`."""

    def __call__(
        self,
        signal: Weights,
        input_sizes: tuple[int, ...],
        weight: tuple[Weights, ...],
        biases: tuple[Weights, ...],
        memories: tuple[Weights, ...],
        sums: Weights,
        feature: tuple[Weights, ...],
        units: int,
        head: Weights,
        head_bias: Weights,
        taps: Weights,
        context: Weights,
        output: Audio,
    ) -> None:
        """A layer's input i of sample n is x[at + n x_sample + i x_input]; the signal is (inputs, samples), flat.

        Features are (1 + samples, units) and flat. Memory begins with those of the sample before, which become the
        first row, and afterwards with the last row. Weights, bias and sums are laid out as `_blocks` does it. The rest:
        see `readout`.
        """


class RecurrentVoice:
    """A recurrent net for one channel, see `tapezoo.runtime.kernels.channel.Voice`.

    Arrays of the file, H units, I inputs (1 + K in the first layer, H above): "layer_L.input" (4 H, I),
    "layer_L.hidden" (4 H, H), "layer_L.bias" (4 H,): H rows of the first of the four sums, then of the next, as the
    kernel names them; "head.weight" (H,), "head.bias" (1,); "taps" (T,), oldest first: the linear path,
    one zero for none.

    Args:
        file: With the setting "layers".
        chunk: What the net does.
        memories: Names of what a layer remembers, in the order of its memory, the hidden state first; the linear path's
            is "past".
        factors: By which the four sums of a unit are multiplied.

    Raises:
        ValueError: Arrays that do not fit together.
    """

    chunk_samples = CHUNK_SAMPLES

    def __init__(
        self, file: KernelFile, chunk: Chunk, memories: tuple[str, ...], factors: tuple[float, ...]
    ) -> None:
        hidden_size = file.array("head.weight", None).shape[0]
        self._chunk, self._memories, self._size = chunk, memories, hidden_size
        self._units = -(-hidden_size // HOST_LANES) * HOST_LANES
        layers = int(file.settings["layers"])
        if not 1 <= layers <= len(file.arrays):
            raise ValueError(f"{layers} layers")
        self._inputs = (1 + file.num_controls, *[self._units] * (layers - 1))
        packed = [_pack_layer(file, index, (hidden_size, self._units), factors) for index in range(layers)]
        self._weights = tuple(weights for weights, _ in packed)
        self._bias = tuple(bias for _, bias in packed)
        self._head = np.zeros(self._units, np.float32)
        self._head[:hidden_size] = file.array("head.weight", hidden_size)
        self._head_bias = file.array("head.bias", 1)
        self._taps = file.array("taps", None)
        self._memory = [np.zeros((len(memories), self._units), np.float32) for _ in range(layers)]
        self._flat_memory = tuple(memory.reshape(-1) for memory in self._memory)
        self._context = make_context(len(self._taps), CHUNK_SAMPLES)
        self._features = tuple(np.zeros((1 + CHUNK_SAMPLES) * self._units, np.float32) for _ in range(layers))
        self._sums = np.zeros(SUMS * self._units, np.float32)

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

    def bind(self, signal: Audio, output: Audio) -> Callable[[], object]:
        """See `Voice.bind`."""
        return partial(
            self._chunk,
            signal.reshape(-1),
            self._inputs,
            self._weights,
            self._bias,
            self._flat_memory,
            self._sums,
            self._features,
            self._units,
            self._head,
            self._head_bias,
            self._taps,
            self._context,
            output,
        )


def _pack_layer(
    file: KernelFile, index: int, sizes: tuple[int, int], factors: tuple[float, ...]
) -> tuple[Weights, Weights]:
    """(weights, bias) of a layer, flat; units beyond the net's, up to whole vectors, stay zero."""
    size, units = sizes
    inputs = size if index else 1 + file.num_controls
    of_input = file.array(f"layer_{index}.input", SUMS * size, inputs)
    of_hidden = file.array(f"layer_{index}.hidden", SUMS * size, size)
    bias = file.array(f"layer_{index}.bias", SUMS * size)
    parts = [
        _blocks(of_input, sizes, units if index else inputs, factors),
        _blocks(of_hidden, sizes, units, factors),
    ]
    return np.concatenate(parts).reshape(-1), _blocks(bias[:, np.newaxis], sizes, 1, factors).reshape(-1)


def _blocks(matrix: Weights, sizes: tuple[int, int], columns: int, factors: tuple[float, ...]) -> Weights:
    """(SUMS size, n) -> (columns, units / lanes, SUMS, lanes), filled up with zeros, every sum times its factor."""
    size, units = sizes
    full = np.zeros((SUMS, units, columns), np.float32)
    full[:, :size, : matrix.shape[1]] = matrix.reshape(SUMS, size, -1) * np.reshape(factors, (SUMS, 1, 1))
    return full.reshape(SUMS, -1, HOST_LANES, columns).transpose(3, 1, 0, 2).copy()
