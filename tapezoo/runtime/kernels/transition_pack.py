"""The weights and settings of a state transition net as its loop takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tapezoo.runtime.kernels.file import KernelFile, Weights
from tapezoo.runtime.kernels.transition_loop import HEARD
from tapezoo.runtime.kernels.turned import turn_matrix
from tapezoo.runtime.kernels.vector import LANES

INPUTS = {"plain": 4, "mirrored": 4, "sign": 5, "anhysteretic": 6}
DEEPEST = 256
LANES_OF_LOOPS = (4, 8, 16)


class Form(NamedTuple):
    """A net's form: L layers with a tanh of W units, its inputs besides M and controls, and lanes for its units."""

    layers: int
    width: int
    inputs: str
    lanes: int

    @property
    def heard(self) -> int:
        """How many inputs there are, I."""
        return INPUTS[self.inputs]


class Parts(NamedTuple):
    """Of a net: (W, I + 1 + K) inputs, M, controls; (W,); (L - 1, W, W); (L - 1, W); (W,); (); ()."""

    first: Weights
    first_bias: Weights
    hidden: Weights
    hidden_bias: Weights
    head: Weights
    head_bias: Weights
    limit: Weights


def read_form(file: KernelFile, width: int) -> Form:
    """The form that the settings "layers" and "inputs" give.

    Raises:
        ValueError: There is no loop for such a net.
    """
    layers, inputs = int(file.settings["layers"]), file.settings["inputs"]
    if inputs not in INPUTS or not 1 <= layers <= DEEPEST or not 1 <= width <= LANES:
        raise ValueError(f"{layers} layers of {width} units with the inputs {inputs!r}")
    return Form(layers, width, inputs, next(lanes for lanes in LANES_OF_LOOPS if width <= lanes))


def pack(parts: Parts, form: Form) -> Weights:
    """The weights, see `transition_loop.BIASES`, but for what `derive` makes of them."""
    count, lanes = form.heard, form.lanes
    columns = np.zeros((HEARD + parts.first.shape[1] - count - 1, form.width), np.float32)
    columns[:count], columns[HEARD:] = parts.first[:, :count].T, parts.first[:, count + 1 :].T
    head_bias, limit = np.full(lanes, parts.head_bias), np.full(lanes, parts.limit)
    vectors = [parts.first[:, count], parts.head, head_bias, limit, parts.first_bias, *parts.hidden_bias]
    terms = [turn_matrix(matrix, lanes) for matrix in parts.hidden]
    return np.concatenate([_lined(vectors, lanes), *terms, _lined(columns, lanes)])


def split_vector(vector: Weights, form: Form) -> Parts:
    """The parts of a net without controls, whose weights are one vector: see `ControlledTransition`.

    Raises:
        ValueError: It has another length.
    """
    layers, width, _, _ = form
    first, inner = width * (form.heard + 1), (layers - 1) * width * (width + 1)
    sizes = [first, width, inner, width, 1, 1]
    if len(vector) != sum(sizes):
        raise ValueError(f"{len(vector)} weights for a net of {sum(sizes)}")
    matrix, bias, inner_part, head, head_bias, limit = np.split(vector, np.cumsum(sizes)[:-1])
    hidden = inner_part.reshape(layers - 1, width * (width + 1))
    return Parts(
        matrix.reshape(width, form.heard + 1),
        bias,
        hidden[:, : width * width].reshape(layers - 1, width, width),
        hidden[:, width * width :],
        head,
        head_bias[0],
        limit[0],
    )


def read_settings(file: KernelFile, form: Form) -> Weights:
    """As the loop takes them, see `transition_loop.ALPHA`.

    Raises:
        ValueError: One is out of its range.
    """
    names = ("alpha", "rise", "slope_scale", "increment", "still")
    settings = [float(file.settings[name]) for name in names]
    alpha, rise, _, increment, still = settings
    mirrored = form.inputs == "mirrored"
    fits = 0 <= alpha < 1 <= rise and still > 0 and not (mirrored and increment)
    if not (fits and np.isfinite(settings).all()):
        said = dict(zip(names, settings, strict=True))
        raise ValueError(f"settings {said} with the inputs {form.inputs!r}")
    bend = file.array("bend", 1)[0] if form.inputs == "anhysteretic" else 0.0
    return np.array([*settings, bend, form.layers, form.heard, mirrored], np.float32)


def _lined(vectors: Sequence[Weights] | Weights, lanes: int) -> Weights:
    """Each filled up with zeros to so many, flat."""
    full = np.zeros((len(vectors), lanes), np.float32)
    for line, vector in zip(full, vectors, strict=True):
        line[: len(vector)] = vector
    return full.reshape(-1)
