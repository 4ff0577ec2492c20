"""A state transition net as a compiled loop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tapezoo.bundle import StateArrays
from tapezoo.bundle.play import Audio
from tapezoo.runtime.kernels.file import KernelFile, Weights
from tapezoo.runtime.kernels.transition_loop import (
    HEARD,
    derive_4,
    derive_8,
    derive_16,
    play_4,
    play_8,
    play_16,
)
from tapezoo.runtime.kernels.turned import turn_matrix
from tapezoo.runtime.kernels.vector import LANES

CHUNK_SAMPLES = 2048
STATE = ("field", "slope", "output")
INPUTS = {"plain": 4, "mirrored": 4, "sign": 5, "anhysteretic": 6}
LOOPS = {4: (derive_4, play_4), 8: (derive_8, play_8), 16: (derive_16, play_16)}  # by lanes


class TransitionVoice:
    """A state transition net for one channel, see `tapezoo.runtime.kernels.channel.Voice`.

    Arrays of the file, W units, I inputs, K controls, L layers: "first.weight" (W, I + 1 + K): inputs, M, controls;
    "first.bias" (W,); "hidden.weight" (L - 1, W, W) and "hidden.bias" (L - 1, W), none for L = 1; "head.weight"
    (W,), "head.bias" (1,); "bend" (1,) where the inputs are "anhysteretic".

    Args:
        file: With the settings "layers", "inputs", "increment" (0 for none), "alpha", "rise", "slope_scale" and
            "still", see `tapezoo.architecture.Transition`.

    Raises:
        ValueError: Arrays that do not fit together, or settings out of their range.
    """

    chunk_samples = CHUNK_SAMPLES

    def __init__(self, file: KernelFile) -> None:
        size = file.array("head.weight", None).shape[0]
        layers, inputs = int(file.settings["layers"]), file.settings["inputs"]
        if inputs not in INPUTS or not 1 <= layers <= 256 or size > LANES:
            raise ValueError(f"{layers} layers of {size} units with the inputs {inputs!r}")
        lanes = next(lanes for lanes in LOOPS if size <= lanes)
        derive, self._play = LOOPS[lanes]
        self._weights = pack(file, size, layers, INPUTS[inputs], lanes)
        derive(self._weights)
        self._settings = _settings(file, layers, inputs)
        self._memory = np.zeros(3, np.float32)
        self._curves = np.zeros((2, CHUNK_SAMPLES if inputs == "anhysteretic" else 0), np.float32)

    def load(self, state: StateArrays) -> None:
        """See `Voice.load`."""
        for index, name in enumerate(STATE):
            if state[name].shape != (1,):
                raise ValueError(f"{name} of shape {state[name].shape}")
            self._memory[index] = state[name][0]

    def save(self) -> StateArrays:
        """See `Voice.save`."""
        return {name: self._memory[[index]] for index, name in enumerate(STATE)}

    def play(self, signal: Audio, output: Audio) -> None:
        """See `Voice.play`."""
        self._play(signal, output, self._memory, self._weights, self._curves, self._settings)


def pack(file: KernelFile, size: int, layers: int, count: int, lanes: int) -> Weights:
    """The weights as the loop takes them, see `transition_loop.BIASES`; what `derive` makes is zero yet."""
    first = file.array("first.weight", size, count + 1 + file.num_controls)
    heard = np.zeros((HEARD + file.num_controls, size), np.float32)
    heard[:count], heard[HEARD:] = first[:, :count].T, first[:, count + 1 :].T
    bias = np.full(size, file.array("head.bias", 1)[0])
    vectors = [first[:, count], file.array("head.weight", size), bias, file.array("first.bias", size)]
    terms: list[Weights] = []
    if layers > 1:
        vectors += list(file.array("hidden.bias", layers - 1, size))
        matrices = file.array("hidden.weight", layers - 1, size, size)
        terms = [turn_matrix(matrix, lanes) for matrix in matrices]
    derived = np.zeros((1 + lanes) * lanes, np.float32)
    return np.concatenate([derived, _lined(vectors, lanes), *terms, _lined(heard, lanes)])


def _lined(vectors: Sequence[Weights] | Weights, lanes: int) -> Weights:
    """Each filled up with zeros to so many, flat."""
    full = np.zeros((len(vectors), lanes), np.float32)
    for line, vector in zip(full, vectors, strict=True):
        line[: len(vector)] = vector
    return full.reshape(-1)


def _settings(file: KernelFile, layers: int, inputs: str) -> Weights:
    """As the loop takes them, see `transition_loop.ALPHA`."""
    names = ("alpha", "rise", "slope_scale", "increment", "still")
    settings = [float(file.settings[name]) for name in names]
    alpha, rise, _, increment, still = settings
    mirrored = inputs == "mirrored"
    fits = 0 <= alpha < 1 <= rise and still > 0 and not (mirrored and increment)
    if not (fits and np.isfinite(settings).all()):
        raise ValueError(f"settings {dict(zip(names, settings, strict=True))} with the inputs {inputs!r}")
    bend = file.array("bend", 1)[0] if inputs == "anhysteretic" else 0.0
    return np.array([*settings, bend, layers, INPUTS[inputs], mirrored], np.float32)
