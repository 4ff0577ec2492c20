"""WaveNet for one channel: lays weights and memory out for the loop, and checks that they fit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod

import numpy as np
from numpy.typing import NDArray

from tapezoo.bundle import StateArrays
from tapezoo.bundle.play import Audio
from tapezoo.runtime.kernels.file import KernelFile, Weights
from tapezoo.runtime.kernels.vector import LANES
from tapezoo.runtime.kernels.wavenet_loop import (
    CHUNK_SAMPLES,
    FIRST,
    LAYERS,
    LINE,
    PAST,
    ROWS,
    SLACK_SAMPLES,
    STRIDE,
    wavenet_chunk,
)

LONGEST_PAST_SAMPLES = 1 << 22


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
        widths = _read_widths(file, dilations)
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
                    packer.add_product(
                        file.arrays[f"{name}.widen"], rows, _rows(widths[index - 1][0]) if index else 1
                    ),
                    _rows(widths[index - 1][0]) if index else 1,
                    packer.add_affine(file.arrays[f"{name}.head"], rows),
                    _rows(file.arrays[f"{name}.head"].shape[0]),
                ]
            )
            for layer, dilation in enumerate(dilations):
                past = (dilated.shape[3] - 1) * dilation
                stride = past + SLACK_SAMPLES + LANES
                mix, taps = file.arrays[f"{name}.mix"][layer], dilated[layer]
                residual = file.arrays[f"{name}.residual"][layer]
                places = [
                    packer.add_gated(mix[:, :, np.newaxis], gates, rows, self._conditions),
                    packer.add_gated(taps, gates, rows, rows),
                    packer.add_affine(residual, rows),
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

    def load(self, state: StateArrays) -> None:
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

    def save(self) -> StateArrays:
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

    def bind(self, signal: Audio, output: Audio) -> Callable[[], object]:
        """See `Voice.bind`."""
        samples = signal.shape[1]
        heard, mixed = self._signal[:-1, :samples], self._mixed[:samples]
        chunk = partial(
            wavenet_chunk,
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

        def play() -> None:
            heard[...] = signal
            chunk()
            output[...] = mixed

        return play

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

    def add_product(self, matrix: Weights, outs: int, rows: int) -> int:
        """Where (outs, rows) or (outs, rows, taps), filled up with zeros, begins: (outs / ROWS, taps, rows, ROWS)."""
        full = np.zeros((outs, rows, prod(matrix.shape[2:])), np.float32)
        full[: matrix.shape[0], : matrix.shape[1]] = matrix.reshape(*matrix.shape[:2], -1)
        self._parts.append(full.reshape(outs // ROWS, ROWS, rows, -1).transpose(0, 3, 2, 1).reshape(-1))
        start, self._end = self._end, self._end + full.size
        return start

    def add_affine(self, matrix: Weights, rows: int) -> int:
        """A `product` of `rows` rows with the bias, the last column, after them."""
        full = np.zeros((_rows(matrix.shape[0]), rows + 1), np.float32)
        full[: matrix.shape[0], : matrix.shape[1] - 1] = matrix[:, :-1]
        full[: matrix.shape[0], -1] = matrix[:, -1]
        return self.add_product(full, *full.shape)

    def add_gated(self, matrix: Weights, gates: int, outs: int, rows: int) -> int:
        """A `product` for the rows of f's first part, and of its second one if there is one."""
        halves = [np.zeros((outs, *matrix.shape[1:]), np.float32) for _ in range(gates)]
        for half, part in zip(halves, np.split(matrix, gates), strict=True):
            half[: part.shape[0]] = part
        return self.add_product(np.concatenate(halves), gates * outs, rows)

    def weights(self) -> Weights:
        """Everything."""
        return np.concatenate(self._parts)


def _rows(channels: int) -> int:
    """Channels filled up to whole groups of a product."""
    return -(-channels // ROWS) * ROWS


def _read_widths(file: KernelFile, dilations: list[int]) -> list[tuple[int, int]]:
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
