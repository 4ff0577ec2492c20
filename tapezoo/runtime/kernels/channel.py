"""One channel of a kernel: its voice, and controls that glide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import numpy as np

from tapezoo.bundle import StateArrays
from tapezoo.bundle.play import Audio
from tapezoo.runtime.kernels.glide import Glide


class Voice(Protocol):
    """What a net computes for one channel, in buffers of its own; chunks in, chunks out."""

    chunk_samples: int
    """The longest chunk it takes."""

    def load(self, state: StateArrays) -> None:
        """Goes on from `state`, tensors without the batch dimension; raises ValueError for other shapes."""

    def save(self) -> StateArrays:
        """The state as it stands, in new arrays."""

    def bind(self, signal: Audio, output: Audio) -> Callable[[], object]:
        """What plays one chunk from `signal` to `output` each time that it is called; it has nothing left to prepare.

        Shape:
            signal: (1 + num_controls, samples), the input and where the controls are; output: (samples,). Both are
                contiguous.
        """


class Channel:
    """A voice with its knobs.

    Args:
        voice: Of the net.
        num_controls: K.
        glide: Where the knobs are; not asked without controls.
    """

    def __init__(self, voice: Voice, num_controls: int, glide: Glide) -> None:
        self._voice = voice
        self._num_controls = num_controls
        self._glide = glide

    def load(self, state: StateArrays) -> None:
        """Goes on from `state`."""
        self._voice.load(state)
        if self._num_controls:
            self._glide.load(state)

    def save(self) -> StateArrays:
        """The state as it stands."""
        state = self._voice.save()
        if self._num_controls:
            state.update(self._glide.save())
        return state

    def play(self, input: Audio, controls: Audio, output: Audio) -> None:
        """One block of any length.

        Shape:
            input, output: (samples,), output contiguous; controls: (num_controls,), where they shall go.

        Raises:
            ValueError: Another number of controls: the compiled code would read behind the end of the signal.
        """
        self.aim(controls)
        self.bind(np.ascontiguousarray(input), output)()

    def aim(self, controls: Audio) -> None:
        """Where the controls shall go from the next sample on; raises ValueError for another number of them."""
        if len(controls) != self._num_controls:
            raise ValueError(f"{len(controls)} controls for a kernel with {self._num_controls}")
        if self._num_controls:
            self._glide.aim(controls)

    def bind(self, input: Audio, output: Audio) -> Callable[[], object]:
        """What plays the block that is in `input`, with the controls where they were last aimed at; both contiguous."""
        longest = self._voice.chunk_samples
        chunks = [
            self._bind_chunk(input[start : start + longest], output[start : start + longest])
            for start in range(0, len(input), longest)
        ]
        return chunks[0] if len(chunks) == 1 else partial(_play_all, chunks)

    def _bind_chunk(self, input: Audio, output: Audio) -> Callable[[], object]:
        if not self._num_controls:
            return self._voice.bind(input[np.newaxis], output)
        signal = np.zeros((1 + self._num_controls, len(input)), np.float32)
        play, heard, path = self._voice.bind(signal, output), signal[0], signal[1:]

        def play_with_controls() -> None:
            heard[...] = input
            self._glide.follow(path)
            play()

        return play_with_controls


def _play_all(chunks: Sequence[Callable[[], object]]) -> None:
    for play in chunks:
        play()
