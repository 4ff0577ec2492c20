"""One channel of a kernel: its voice, and controls that glide."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from tapezoo.bundle import State
from tapezoo.bundle.golden import Audio

KNOBS = ("controls", "control_targets", "control_ramp")  # in the state of a net whose controls glide


class Voice(Protocol):
    """What a net computes for one channel, in buffers of its own; chunks in, chunks out."""

    chunk_samples: int
    """The longest chunk it takes."""

    def load(self, state: State) -> None:
        """Goes on from `state`, tensors without the batch dimension; raises ValueError for other shapes."""

    def save(self) -> State:
        """The state as it stands, in new arrays."""

    def play(self, signal: Audio, output: Audio) -> None:
        """One chunk.

        Shape:
            signal: (1 + num_controls, samples), the input and where the controls are; output: (samples,). Rows are
                contiguous.
        """


class Channel:
    """A voice with its knobs: they go to a new place in a straight line, as `tapezoo.layers.smoothing` has it.

    Args:
        voice: Of the net.
        num_controls: K.
        smoothing_samples: What a knob takes to a new place.
    """

    def __init__(self, voice: Voice, num_controls: int, smoothing_samples: int) -> None:
        self._voice = voice
        self._smoothing_samples = smoothing_samples
        self._signal = np.zeros((1 + num_controls, voice.chunk_samples), np.float32)
        self._count = np.arange(1, voice.chunk_samples + 1, dtype=np.float32)
        self._value = np.zeros(num_controls, np.float32)
        self._target = np.zeros(num_controls, np.float32)
        self._left = 0

    def load(self, state: State) -> None:
        """Goes on from `state`."""
        self._voice.load(state)
        if len(self._value):
            value, target, left = (state[name] for name in KNOBS)
            if value.shape != self._value.shape or target.shape != self._value.shape:
                raise ValueError(f"controls of shape {value.shape}")
            self._value, self._target = value.copy(), target.copy()
            self._left = max(0, min(round(float(left[0])), self._smoothing_samples))

    def save(self) -> State:
        """The state as it stands."""
        state = self._voice.save()
        if len(self._value):
            knobs = (self._value.copy(), self._target.copy(), np.array([self._left], np.float32))
            state.update(zip(KNOBS, knobs, strict=True))
        return state

    def play(self, input: Audio, controls: Audio, output: Audio) -> None:
        """One block of any length.

        Shape:
            input, output: (samples,), output contiguous; controls: (num_controls,), where they shall go.

        Raises:
            ValueError: Another number of controls: the compiled code would read behind the end of the signal.
        """
        if len(controls) != len(self._value):
            raise ValueError(f"{len(controls)} controls for a kernel with {len(self._value)}")
        input = np.ascontiguousarray(input)  # what the compiled code takes
        longest = self._voice.chunk_samples
        if not len(controls):
            for start in range(0, len(input), longest):
                self._voice.play(input[np.newaxis, start : start + longest], output[start : start + longest])
            return
        if not np.array_equal(controls, self._target):
            self._target, self._left = controls.copy(), self._smoothing_samples
        for start in range(0, len(input), longest):
            part = input[start : start + longest]
            signal = self._signal[:, : len(part)]
            signal[0] = part
            self._glide(signal[1:])
            self._voice.play(signal, output[start : start + longest])

    def _glide(self, path: Audio) -> None:
        samples = path.shape[1]
        if not self._left:
            self._value = self._target
        share = np.minimum(self._count[:samples] / np.float32(max(self._left, 1)), 1)
        path[:] = self._value[:, np.newaxis] + (self._target - self._value)[:, np.newaxis] * share
        path[:, max(self._left - 1, 0) :] = self._target[:, np.newaxis]
        self._value = path[:, -1].copy()
        self._left = max(self._left - samples, 0)
