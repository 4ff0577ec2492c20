"""A causal filter as a compiled loop: of thousands of taps too, summed directly, and beside any other kernel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tapezoo.bundle import StateArrays
from tapezoo.bundle.play import Audio
from tapezoo.runtime.kernels.channel import Voice
from tapezoo.runtime.kernels.file import KernelFile, Weights
from tapezoo.runtime.kernels.vector import LANES, compiled, fill, fma, load, spread, store, total

PAST = "past"


def make_context(taps: int, chunk_samples: int) -> Weights:
    """What `filter_chunk` remembers, at silence: the samples before the chunk, room for it and for whole vectors."""
    return np.zeros(taps - 1 + chunk_samples + 4 * LANES, np.float32)


@compiled
def filter_chunk(bias, taps, context, signal, output, samples):  # type: ignore[no-untyped-def]
    """output[n] = bias[0] + sum_k taps[k] context[n + k]; the context moves on.

    Four vectors at a time share every tap, and none depends on another.

    Args:
        bias: (1,).
        taps: (T,), the last one for the newest sample.
        context: See `make_context`; begins with the samples before the chunk.
        signal: Begins with the chunk.
        output: (samples,).
        samples: Of the chunk.
    """
    past = len(taps) - 1
    for sample in range(samples):
        context[past + sample] = signal[sample]
    start = 0
    while samples - start >= 4 * LANES:
        a, b, c, d = fill(bias[0]), fill(bias[0]), fill(bias[0]), fill(bias[0])
        for tap in range(len(taps)):
            value = spread(taps, tap)
            a = fma(value, load(context, start + tap), a)
            b = fma(value, load(context, start + tap + LANES), b)
            c = fma(value, load(context, start + tap + 2 * LANES), c)
            d = fma(value, load(context, start + tap + 3 * LANES), d)
        store(output, start, a)
        store(output, start + LANES, b)
        store(output, start + 2 * LANES, c)
        store(output, start + 3 * LANES, d)
        start += 4 * LANES
    while samples - start >= LANES:
        a = fill(bias[0])
        for tap in range(len(taps)):
            a = fma(spread(taps, tap), load(context, start + tap), a)
        store(output, start, a)
        start += LANES
    for sample in range(start, samples):
        # a vector of partial sums over the taps: a single sample costs no more than one of a vector of samples
        a = fill(np.float32(0))
        tap = 0
        while len(taps) - tap >= LANES:
            a = fma(load(taps, tap), load(context, sample + tap), a)
            tap += LANES
        sum_ = bias[0] + total(a)
        while tap < len(taps):
            sum_ += taps[tap] * context[sample + tap]
            tap += 1
        output[sample] = sum_
    for index in range(past):
        context[index] = context[index + samples]


class FilteredVoice:
    """A kernel with a filter beside it, see `tapezoo.runtime.kernels.channel.Voice`.

    Arrays of the file beside those of the kernel: "beside.taps" (T,), oldest first, and "beside.bias" (1,).

    Args:
        file: The weights.
        make: Makes the voice of the kernel.

    Raises:
        ValueError: Arrays that do not fit together.
    """

    def __init__(self, file: KernelFile, make: Callable[[KernelFile], Voice]) -> None:
        self._voice = make(file)
        self.chunk_samples = self._voice.chunk_samples
        self._taps, self._bias = file.array("beside.taps", None), file.array("beside.bias", 1)
        self._context = make_context(len(self._taps), self.chunk_samples)
        self._filtered = np.zeros(self.chunk_samples, np.float32)

    def load(self, state: StateArrays) -> None:
        """See `Voice.load`."""
        self._voice.load(state)
        self._context[: len(self._taps) - 1] = state[PAST].reshape(len(self._taps) - 1)

    def save(self) -> StateArrays:
        """See `Voice.save`."""
        return {**self._voice.save(), PAST: self._context[np.newaxis, : len(self._taps) - 1].copy()}

    def bind(self, signal: Audio, output: Audio) -> Callable[[], object]:
        """See `Voice.bind`."""
        samples = signal.shape[1]
        filtered, play = self._filtered[:samples], self._voice.bind(signal, output)

        def play_with_filter() -> None:
            filter_chunk(self._bias, self._taps, self._context, signal[0], self._filtered, samples)
            play()
            np.add(output, filtered, out=output)

        return play_with_filter
