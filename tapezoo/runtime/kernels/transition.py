"""A state transition net as a compiled loop."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from tapezoo.bundle import StateArrays
from tapezoo.bundle.play import Audio
from tapezoo.runtime.kernels.file import KernelFile, Weights
from tapezoo.runtime.kernels.transition_loop import derive_4, derive_8, derive_16, play_4, play_8, play_16
from tapezoo.runtime.kernels.transition_pack import Form, Parts, pack, read_form, read_settings

CHUNK_SAMPLES = 2048
STATE = ("field", "slope", "output")
LOOPS = {4: (derive_4, play_4), 8: (derive_8, play_8), 16: (derive_16, play_16)}  # by lanes


class TransitionMemory:
    """What state transition nets remember: H, H' and M of the sample before."""

    chunk_samples = CHUNK_SAMPLES

    def __init__(self) -> None:
        self.values = np.zeros(len(STATE), np.float32)

    def load(self, state: StateArrays) -> None:
        """See `tapezoo.runtime.kernels.channel.Voice.load`."""
        for index, name in enumerate(STATE):
            if state[name].shape != (1,):
                raise ValueError(f"{name} of shape {state[name].shape}")
            self.values[index] = state[name][0]

    def save(self) -> StateArrays:
        """See `tapezoo.runtime.kernels.channel.Voice.save`."""
        return {name: self.values[[index]] for index, name in enumerate(STATE)}


class TransitionVoice(TransitionMemory):
    """A state transition net for one channel, see `tapezoo.runtime.kernels.channel.Voice`.

    Arrays of the file, W units, I inputs, K controls, L layers: "first.weight" (W, I + 1 + K): inputs, M, controls;
    "first.bias" (W,); "hidden.weight" (L - 1, W, W) and "hidden.bias" (L - 1, W), none for L = 1; "head.weight"
    (W,), "head.bias" (1,); "limit" (1,); "bend" (1,) where the inputs are "anhysteretic".

    Args:
        file: With the settings "layers", "inputs", "increment" (0 for none), "alpha", "rise", "slope_scale" and
            "still", see `tapezoo.architecture.Transition`.

    Raises:
        ValueError: Arrays that do not fit together, or settings out of their range.
    """

    def __init__(self, file: KernelFile) -> None:
        super().__init__()
        form = read_form(file, file.array("head.weight", None).shape[0])
        self._settings = read_settings(file, form)
        own = pack(_parts(file, form), form)
        self._weights = np.concatenate([np.zeros((1 + form.lanes) * form.lanes, np.float32), own])
        derive, self._play = LOOPS[form.lanes]
        derive(self._weights)
        self._curves = np.zeros((2, CHUNK_SAMPLES if form.inputs == "anhysteretic" else 0), np.float32)

    def bind(self, signal: Audio, output: Audio) -> Callable[[], object]:
        """See `tapezoo.runtime.kernels.channel.Voice.bind`."""
        return partial(self._play, signal, output, self.values, self._weights, self._curves, self._settings)


def _parts(file: KernelFile, form: Form) -> Parts:
    layers, width = form.layers, form.width
    nothing: Weights = np.zeros((0, width, width), np.float32)
    return Parts(
        file.array("first.weight", width, form.heard + 1 + file.num_controls),
        file.array("first.bias", width),
        file.array("hidden.weight", layers - 1, width, width) if layers > 1 else nothing,
        file.array("hidden.bias", layers - 1, width) if layers > 1 else nothing[:, 0],
        file.array("head.weight", width),
        file.array("head.bias", 1)[0],
        file.array("limit", 1)[0],
    )
