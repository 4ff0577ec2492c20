"""One channel of a kernel: its voice, and controls that glide."""

from __future__ import annotations

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

    def play(self, signal: Audio, output: Audio) -> None:
        """One chunk.

        Shape:
            signal: (1 + num_controls, samples), the input and where the controls are; output: (samples,). Rows are
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
        self._signal = np.zeros((1 + num_controls, voice.chunk_samples), np.float32)

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
        if len(controls) != self._num_controls:
            raise ValueError(f"{len(controls)} controls for a kernel with {self._num_controls}")
        input = np.ascontiguousarray(input)  # what the compiled code takes
        longest = self._voice.chunk_samples
        if not len(controls):
            for start in range(0, len(input), longest):
                self._voice.play(input[np.newaxis, start : start + longest], output[start : start + longest])
            return
        self._glide.aim(controls)
        for start in range(0, len(input), longest):
            part = input[start : start + longest]
            signal = self._signal[:, : len(part)]
            signal[0] = part
            self._glide.follow(signal[1:])
            self._voice.play(signal, output[start : start + longest])
