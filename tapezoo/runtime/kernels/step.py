"""A kernel as a `Step`, so that the parity gate and `verify` replay it as every target."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from tapezoo.bundle import StateArrays, Step
from tapezoo.bundle.play import Audio
from tapezoo.runtime.kernels.voices import channel_maker
from tapezoo.runtime.loops import begun_rows


class Remembering(Protocol):
    """A channel that gives and takes its state, such as `tapezoo.runtime.kernels.channel.Channel`."""

    def load(self, state: StateArrays) -> None:
        """Goes on from `state`."""

    def save(self) -> StateArrays:
        """The state as it stands."""

    def play(self, input: Audio, controls: Audio, output: Audio) -> None:
        """One block."""


def open_kernel(path: Path, state_names: Sequence[str]) -> Step:
    """Opens kernel.safetensors as a `Step`.

    Raises:
        EngineError: The file is not one, or not as its kernel needs it.
    """
    return channel_step(channel_maker(path)(), state_names)


def channel_step(channel: Remembering, state_names: Sequence[str]) -> Step:
    """One channel, whose buffers serve every row in turn, as a `Step`."""

    def step(input: Audio, controls: Audio, state: StateArrays) -> tuple[Audio, StateArrays]:
        output, state = np.empty(input.shape, np.float32), begun_rows(state)
        after = {name: np.empty_like(state[name]) for name in state_names}
        for row in range(len(input)):
            channel.load({name: state[name][row] for name in state_names})
            channel.play(input[row, 0], controls[row], output[row, 0])
            for name, value in channel.save().items():
                after[name][row] = value
        return output, after

    return step
