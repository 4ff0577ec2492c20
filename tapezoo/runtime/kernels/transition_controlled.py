"""State transition nets whose weights follow the controls, as compiled loops."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapezoo.bundle.play import Audio
from tapezoo.runtime.kernels.file import KernelFile, Weights
from tapezoo.runtime.kernels.transition import TransitionMemory
from tapezoo.runtime.kernels.transition_mix import (
    play_polynomial_4,
    play_polynomial_8,
    play_polynomial_16,
    play_table_4,
    play_table_8,
    play_table_16,
)
from tapezoo.runtime.kernels.transition_pack import Form, pack, read_form, read_settings, split_vector

TABLE_LOOPS = {4: play_table_4, 8: play_table_8, 16: play_table_16}  # by lanes
POLYNOMIAL_LOOPS = {4: play_polynomial_4, 8: play_polynomial_8, 16: play_polynomial_16}
MOST_POINTS = 1 << 16
HIGHEST_POWER = 64


class ControlledVoice(TransitionMemory):
    """A state transition net for one channel, see `tapezoo.runtime.kernels.channel.Voice`.

    Its controls come in steps (`tapezoo.runtime.kernels.glide.SteppedGlide`): where one of them changes, the weights
    are mixed anew from the rows of a table, in a buffer of its own.

    Args:
        file: With the settings of `TransitionVoice`, "width" and "step_samples".
        rows: Weights in rows, as the file has them: weights, what M is held within, W numbers for each control that is
            an input, (R, P + 1 + W inputs). Beside them the array "scales" has for each row the scale of M and a number
            for each such control, (R, 1 + inputs).
        inputs: Which controls those are.
        by: What the shares of the rows follow from: the positions on each axis, or exponents.
        most: How many of the rows are mixed at once.
    """

    _loops: dict[int, Any]

    def __init__(
        self, file: KernelFile, rows: Weights, inputs: list[int], by: NDArray[np.int64], most: int
    ) -> None:
        super().__init__()
        form = read_form(file, int(file.settings["width"]))
        if form.inputs == "anhysteretic":
            raise ValueError("a nonlinear input of the field, which would have to follow the controls too")
        scales = file.array("scales", len(rows), 1 + len(inputs))
        table, lanes = np.concatenate([pack_rows(rows, form, len(inputs)), scales], axis=1), form.lanes
        own = table.shape[1] - len(inputs) * lanes - 1 - len(inputs)
        self._loop = self._loops[lanes]
        self._arrays = (
            np.zeros((1 + lanes) * lanes + own, np.float32),  # the weights
            np.full(file.num_controls, np.nan, np.float32),  # the controls that they were mixed at: none yet
            table.reshape(-1),
            np.array(inputs, np.int64),
            by,
            np.zeros(most, np.float32),
            np.zeros(most, np.int64),
            np.zeros((2, 0), np.float32),
            read_settings(file, form),
        )

    def bind(self, signal: Audio, output: Audio) -> Callable[[], object]:
        """See `tapezoo.runtime.kernels.channel.Voice.bind`."""
        return partial(self._loop, signal, output, self.values, *self._arrays)


class TableVoice(ControlledVoice):
    """See `tapezoo.architecture.TableWeights`; arrays "table" and "scales", and the setting "axes", such as 20,0,10.

    Args:
        file: See `ControlledVoice`.

    Raises:
        ValueError: Arrays that do not fit together, or settings out of their range.
    """

    _loops = TABLE_LOOPS

    def __init__(self, file: KernelFile) -> None:
        said = file.settings["axes"]
        axes = [int(count) for count in said.split(",")] if said else []
        points = 1
        for count in axes:
            points *= max(count, 1)
            if count < 0 or count == 1 or points > MOST_POINTS:
                raise ValueError(f"axes {said}")
        if len(axes) != file.num_controls:
            raise ValueError(f"axes {said} of {file.num_controls} controls")
        inputs = [control for control, count in enumerate(axes) if not count]
        most = 2 ** (len(axes) - len(inputs))
        super().__init__(file, file.array("table", points, None), inputs, np.array(axes, np.int64), most)


class PolynomialVoice(ControlledVoice):
    """See `tapezoo.architecture.PolynomialWeights`; with the arrays "coefficients", "scales" and
    "exponents" (terms, K).

    Args:
        file: See `ControlledVoice`.

    Raises:
        ValueError: Arrays that do not fit together, or settings out of their range.
    """

    _loops = POLYNOMIAL_LOOPS

    def __init__(self, file: KernelFile) -> None:
        coefficients = file.array("coefficients", None, None)
        terms = coefficients.shape[1]
        exponents = np.zeros((terms, 0), np.int64)
        if file.num_controls:
            powers = file.array("exponents", terms, file.num_controls)
            exponents = powers.astype(np.int64)
            if (exponents != powers).any() or (exponents < 0).any() or (exponents > HIGHEST_POWER).any():
                raise ValueError(f"exponents {powers.tolist()}")
        super().__init__(file, np.ascontiguousarray(coefficients.T), [], exponents, terms)


def pack_rows(rows: Weights, form: Form, inputs: int) -> Weights:
    """Every row as `pack` lays out a net, then a vector for each control that is an input.

    What goes where is found by packing the numbers of the places, so that thousands of nets take no longer than one.
    """
    added = form.width * inputs
    size = rows.shape[1] - added
    places = split_vector(np.arange(1, size + 1, dtype=np.float32), form)
    behind = np.zeros((inputs, form.lanes), np.float32)
    behind[:, : form.width] = 1 + size + np.arange(added).reshape(inputs, form.width)
    order = np.concatenate([pack(places, form), behind.reshape(-1)]).astype(np.int64)
    return np.concatenate([np.zeros((len(rows), 1), np.float32), rows], axis=1)[:, order]
