"""WaveNet as a compiled loop over chunks of samples, its memory in lines that are moved back only now and then."""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from tapezoo.bundle import State
from tapezoo.bundle.golden import Audio
from tapezoo.runtime.kernels.file import KernelFile, Weights
from tapezoo.runtime.kernels.vector import (
    LANES,
    add,
    compiled,
    fill,
    fma,
    load,
    mul,
    sigmoid,
    spread,
    store,
    tanh,
)

CHUNK_SAMPLES = 64
SLACK_SAMPLES = 512  # a line is moved back when the signal has gone so far: 1/8 of the cost of every chunk
ROWS = 4  # of a product at a time: their sums stay in registers
LONGEST_PAST_SAMPLES = 1 << 22

# columns of the table of layers
LINE, STRIDE, PAST, DILATION, MIX, DILATED, RESIDUAL = range(7)
# columns of the table of arrays
FIRST, LAYERS, CHANNELS, WIDTH, WIDEN, WIDEN_FROM, HEAD, HEAD_ROWS = range(8)


@compiled
def product(out, o, out_row, base, b, base_row, x, at, x_row, rows, taps, dilation, weights, w, outs, tiles):  # type: ignore[no-untyped-def]
    """out[o + r out_row + n] = base[b + r base_row + n] + sum_tk W[r, t, k] x[at + k x_row + t dilation + n].

    For r < outs, a multiple of ROWS, and n < LANES tiles; k < rows, t < taps. W is flat from w on, as `_product`
    lays it out. `out` may be `base`.
    """
    for r in range(0, outs, ROWS):
        first = w + r * rows * taps
        for tile in range(tiles):
            n = tile * LANES
            p = load(base, b + r * base_row + n)
            q = load(base, b + (r + 1) * base_row + n)
            s = load(base, b + (r + 2) * base_row + n)
            t = load(base, b + (r + 3) * base_row + n)
            weight = first
            for tap in range(taps):
                place = at + tap * dilation + n
                for _ in range(rows):
                    value = load(x, place)
                    p = fma(spread(weights, weight), value, p)
                    q = fma(spread(weights, weight + 1), value, q)
                    s = fma(spread(weights, weight + 2), value, s)
                    t = fma(spread(weights, weight + 3), value, t)
                    weight += ROWS
                    place += x_row
            store(out, o + r * out_row + n, p)
            store(out, o + (r + 1) * out_row + n, q)
            store(out, o + (r + 2) * out_row + n, s)
            store(out, o + (r + 3) * out_row + n, t)


@compiled
def activate(u, z, head, channels, width, tiles):  # type: ignore[no-untyped-def]
    """Makes z = f(u) and adds it to head: tanh, or with twice the rows in u the gated tanh(u_1) sigmoid(u_2)."""
    for row in range(channels):
        for tile in range(tiles):
            n = row * CHUNK_SAMPLES + tile * LANES
            value = tanh(load(u, n))
            if width > channels:
                value = mul(value, sigmoid(load(u, channels * CHUNK_SAMPLES + n)))
            store(z, n, value)
            store(head, n, add(value, load(head, n)))


@compiled
def wavenet_chunk(  # type: ignore[no-untyped-def]
    signal, conditions, samples, lines, position, layers, arrays, weights, y, u, z, head, mixed, zeros
):
    """One chunk: `mixed` begins with the output; the lines hold every layer's y from `position` - its past on.

    Rows of `signal`, y, u, z, head and mixed are CHUNK_SAMPLES long. What is computed beyond `samples`, up to a
    whole vector, is written over by the next chunk before it is read.

    Args:
        signal: The input, the controls' paths and ones: (conditions, CHUNK_SAMPLES), flat.
        conditions: Rows of it.
        samples: Of the chunk.
        lines: y of every layer, channel by channel.
        position: (1,): where in the lines the chunk stands, beside each layer's past.
        layers: Table of layers, see the columns' names.
        arrays: Table of arrays.
        weights: Of all products.
        y: Between two arrays.
        u: Argument of f.
        z: Result of f.
        head: Sum of z over the layers.
        mixed: What the array's head makes of it.
        zeros: A row.
    """
    chunk, tiles = CHUNK_SAMPLES, (samples + LANES - 1) // LANES
    if position[0] + CHUNK_SAMPLES > SLACK_SAMPLES:
        _move_back(lines, position[0], layers, arrays)
        position[0] = 0
    now = position[0]
    for a in range(len(arrays)):
        channels, width, first = arrays[a, CHANNELS], arrays[a, WIDTH], arrays[a, FIRST]
        source = signal if a == 0 else y
        out = layers[first, LINE] + layers[first, PAST] + now
        stride = layers[first, STRIDE]
        product(lines, out, stride, zeros, 0, 0, source, 0, chunk, arrays[a, WIDEN_FROM], 1, 0, weights,
                arrays[a, WIDEN], channels, tiles)  # fmt: skip
        for row in range(channels):
            for tile in range(tiles):
                n = row * chunk + tile * LANES
                store(head, n, load(mixed, n) if a else fill(np.float32(0)))
        for tile in range(tiles):  # what the biases of the residuals and of the head are multiplied by
            store(z, channels * chunk + tile * LANES, fill(np.float32(1)))
            store(head, channels * chunk + tile * LANES, fill(np.float32(1)))
        for layer in range(first, first + arrays[a, LAYERS]):
            line, stride, past = layers[layer, LINE], layers[layer, STRIDE], layers[layer, PAST]
            dilation = layers[layer, DILATION]
            taps = past // dilation + 1
            product(u, 0, chunk, zeros, 0, 0, signal, 0, chunk, conditions, 1, 0, weights,
                    layers[layer, MIX], width, tiles)  # fmt: skip
            product(u, 0, chunk, u, 0, chunk, lines, line + now, stride, channels, taps, dilation, weights,
                    layers[layer, DILATED], width, tiles)  # fmt: skip
            activate(u, z, head, channels, width, tiles)
            if layer + 1 < first + arrays[a, LAYERS]:
                out = layers[layer + 1, LINE] + layers[layer + 1, PAST] + now
                product(lines, out, layers[layer + 1, STRIDE], lines, line + past + now, stride, z, 0, chunk,
                        channels + 1, 1, 0, weights, layers[layer, RESIDUAL], channels, tiles)  # fmt: skip
            else:
                product(y, 0, chunk, lines, line + past + now, stride, z, 0, chunk, channels + 1, 1, 0, weights,
                        layers[layer, RESIDUAL], channels, tiles)  # fmt: skip
        product(mixed, 0, chunk, zeros, 0, 0, head, 0, chunk, channels + 1, 1, 0, weights, arrays[a, HEAD],
                arrays[a, HEAD_ROWS], tiles)  # fmt: skip
    position[0] = now + samples


@compiled
def _move_back(lines, position, layers, arrays):  # type: ignore[no-untyped-def]
    for a in range(len(arrays)):
        for layer in range(arrays[a, FIRST], arrays[a, FIRST] + arrays[a, LAYERS]):
            for channel in range(arrays[a, CHANNELS]):
                start = layers[layer, LINE] + channel * layers[layer, STRIDE]
                for index in range(layers[layer, PAST]):
                    lines[start + index] = lines[start + index + position]


class WaveNetVoice:
    """The kernel "wavenet" for one channel, see `tapezoo.runtime.kernels.channel.Voice`.

    Settings: "arrays", their number; "dilations" of an array's layers, with commas.

    Arrays of the file, of the array A with C channels and width G, C or 2 C (gated), L layers, k taps:
    "array_A.widen" (C, C of the array before, or 1), "array_A.dilated" (L, G, C, k), "array_A.mix" (L, G, 2 + K) for
    the input, the controls and the bias, "array_A.residual" (L, C, C + 1) and "array_A.head" (C of the next array, or
    1, C + 1), both with their bias last.

    Args:
        file: The weights.

    Raises:
        ValueError: Arrays that do not fit together.
    """

    chunk_samples = CHUNK_SAMPLES

    def __init__(self, file: KernelFile) -> None:
        dilations = [int(value) for value in file.settings["dilations"].split(",")]
        self._conditions = 2 + file.num_controls
        widths = _checked(file, dilations)
        self._channels = [channels for channels, _ in widths]
        packer = _Packer()
        layers: list[list[int]] = []
        arrays: list[list[int]] = []
        end = 0
        for index, (channels, gates) in enumerate(widths):
            rows, name = _rows(channels), f"array_{index}"
            dilated = file.arrays[f"{name}.dilated"]
            arrays.append(
                [
                    len(layers),
                    len(dilations),
                    rows,
                    gates * rows,
                    packer.product(
                        file.arrays[f"{name}.widen"], rows, _rows(widths[index - 1][0]) if index else 1
                    ),
                    _rows(widths[index - 1][0]) if index else 1,
                    packer.affine(file.arrays[f"{name}.head"], rows),
                    _rows(file.arrays[f"{name}.head"].shape[0]),
                ]
            )
            for layer, dilation in enumerate(dilations):
                past = (dilated.shape[3] - 1) * dilation
                stride = past + SLACK_SAMPLES + LANES
                mix, taps = file.arrays[f"{name}.mix"][layer], dilated[layer]
                residual = file.arrays[f"{name}.residual"][layer]
                places = [
                    packer.gated(mix[:, :, np.newaxis], gates, rows, self._conditions),
                    packer.gated(taps, gates, rows, rows),
                    packer.affine(residual, rows),
                ]
                layers.append([end, stride, past, dilation, *places])
                end += rows * stride
        self._layers, self._arrays = np.array(layers, np.int64), np.array(arrays, np.int64)
        self._weights = packer.weights()
        self._lines = np.zeros(end, np.float32)
        self._position = np.zeros(1, np.int64)
        self._signal = np.zeros((self._conditions, CHUNK_SAMPLES), np.float32)
        self._signal[-1] = 1
        self._flat_signal = self._signal.reshape(-1)
        most = max(_rows(channels) * gates for channels, gates in widths) + 1
        self._y, self._u, self._z, self._head, self._mixed, self._zeros = (
            np.zeros(most * CHUNK_SAMPLES, np.float32) for _ in range(6)
        )

    def _line(self, layer: int, channels: int) -> Weights:
        """(channels, past): what the layer remembers, a view."""
        start, stride, past = (int(self._layers[layer, column]) for column in (LINE, STRIDE, PAST))
        lines: Weights = self._lines[start : start + channels * stride].reshape(channels, stride)
        return lines[:, self._position[0] : self._position[0] + past]

    def load(self, state: State) -> None:
        """See `Voice.load`."""
        self._position[0] = 0
        for index, channels in enumerate(self._channels):
            past = state[self._name(index)]
            if past.shape != (channels, sum(layer[PAST] for layer in self._of(index))):
                raise ValueError(f"{self._name(index)} of shape {past.shape}")
            start = 0
            for layer in range(
                self._arrays[index, FIRST], self._arrays[index, FIRST] + self._arrays[index, LAYERS]
            ):
                line = self._line(layer, channels)
                line[:] = past[:, start : start + line.shape[1]]
                start += line.shape[1]

    def save(self) -> State:
        """See `Voice.save`."""
        return {
            self._name(index): np.concatenate(
                [
                    self._line(int(self._arrays[index, FIRST]) + layer, channels)
                    for layer in range(self._arrays[index, LAYERS])
                ],
                axis=1,
            )
            for index, channels in enumerate(self._channels)
        }

    def play(self, signal: Audio, output: Audio) -> None:
        """See `Voice.play`."""
        samples = signal.shape[1]
        self._signal[:-1, :samples] = signal
        wavenet_chunk(
            self._flat_signal,
            self._conditions,
            samples,
            self._lines,
            self._position,
            self._layers,
            self._arrays,
            self._weights,
            self._y,
            self._u,
            self._z,
            self._head,
            self._mixed,
            self._zeros,
        )
        output[:] = self._mixed[:samples]

    def _name(self, index: int) -> str:
        """The array's part of the state: the last array is called so at every depth."""
        return "past_last" if index == len(self._channels) - 1 else f"past_{index}"

    def _of(self, index: int) -> NDArray[np.int64]:
        first, count = (int(self._arrays[index, column]) for column in (FIRST, LAYERS))
        table: NDArray[np.int64] = self._layers[first : first + count]
        return table


class _Packer:
    """Lays matrices out as `product` reads them, one after another."""

    def __init__(self) -> None:
        self._parts: list[Weights] = []
        self._end = 0

    def product(self, matrix: Weights, outs: int, rows: int) -> int:
        """Where (outs, rows) or (outs, rows, taps), filled up with zeros, begins: (outs / ROWS, taps, rows, ROWS)."""
        full = np.zeros((outs, rows, prod(matrix.shape[2:])), np.float32)
        full[: matrix.shape[0], : matrix.shape[1]] = matrix.reshape(*matrix.shape[:2], -1)
        self._parts.append(full.reshape(outs // ROWS, ROWS, rows, -1).transpose(0, 3, 2, 1).reshape(-1))
        start, self._end = self._end, self._end + full.size
        return start

    def affine(self, matrix: Weights, rows: int) -> int:
        """A `product` of `rows` rows with the bias, the last column, after them."""
        full = np.zeros((_rows(matrix.shape[0]), rows + 1), np.float32)
        full[: matrix.shape[0], : matrix.shape[1] - 1] = matrix[:, :-1]
        full[: matrix.shape[0], -1] = matrix[:, -1]
        return self.product(full, *full.shape)

    def gated(self, matrix: Weights, gates: int, outs: int, rows: int) -> int:
        """A `product` for the rows of f's first part, and of its second one if there is one."""
        halves = [np.zeros((outs, *matrix.shape[1:]), np.float32) for _ in range(gates)]
        for half, part in zip(halves, np.split(matrix, gates), strict=True):
            half[: part.shape[0]] = part
        return self.product(np.concatenate(halves), gates * outs, rows)

    def weights(self) -> Weights:
        """Everything."""
        return np.concatenate(self._parts)


def _rows(channels: int) -> int:
    """Channels filled up to whole groups of a product."""
    return -(-channels // ROWS) * ROWS


def _checked(file: KernelFile, dilations: list[int]) -> list[tuple[int, int]]:
    """(channels, parts of f's argument) of every array."""
    count = int(file.settings["arrays"])
    if not 1 <= count <= len(file.arrays) or min(dilations) < 1:
        raise ValueError(f"{count} arrays with dilations {dilations}")
    sizes = []
    before = 1
    for index in range(count):
        name = f"array_{index}"
        channels = file.array(f"{name}.widen", None, before).shape[0]
        width, taps = file.array(f"{name}.dilated", len(dilations), None, channels, None).shape[1::2]
        if width not in (channels, 2 * channels):
            raise ValueError(f"{name}.dilated with {width} rows for {channels} channels")
        if (taps - 1) * sum(dilations) > LONGEST_PAST_SAMPLES:
            raise ValueError(f"a memory of {(taps - 1) * sum(dilations)} samples")
        file.array(f"{name}.mix", len(dilations), width, 2 + file.num_controls)
        file.array(f"{name}.residual", len(dilations), channels, channels + 1)
        last = index == count - 1
        after = 1 if last else file.array(f"array_{index + 1}.widen", None, channels).shape[0]
        file.array(f"{name}.head", after, channels + 1)
        sizes.append((channels, width // channels))
        before = channels
    return sizes
