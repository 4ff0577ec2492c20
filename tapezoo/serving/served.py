"""A bundle behind MLflow's pyfunc interface: a whole signal in, a whole signal out; needs neither torch nor mlflow.

`tapezoo.tracking.loader` hands it to MLflow, `tapezoo.serving.http` serves it as it is.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tapezoo.bundle.play import Audio
from tapezoo.controls import ControlError
from tapezoo.errors import TapezooError
from tapezoo.runtime import Stream
from tapezoo.runtime.blocks import as_rows, check_layout
from tapezoo.runtime.errors import NoSignalError

CONTROLS = "controls"  # the one parameter of a request
BLOCK_SAMPLES = 2048  # memory may grow faster than the block
MOST_SAMPLES = 2**24  # of a request, all channels together: 6 minutes of mono at 44.1 kHz


class TooLongError(TapezooError):
    """A request with more audio than a server takes at once."""

    FIX = "Play files with tapezoo render, or use tapezoo.runtime.Stream."

    def __init__(self, samples: int) -> None:
        super().__init__(
            "input",
            found=f"{samples} samples",
            expected=f"at most {MOST_SAMPLES} in one request, all channels together",
            fix=self.FIX,
        )


class SignalError(TapezooError):
    """A request whose audio cannot be played."""


class Effect:
    """Plays whole signals, each from the machine at rest, one after another.

    Args:
        stream: A bundle's stream.
    """

    def __init__(self, stream: Stream) -> None:
        self.sample_rate = stream.manifest.sample_rate
        self._stream = stream
        self._playing = threading.Lock()  # a server may call from several threads; there is one state

    def predict(self, model_input: Audio, params: Mapping[str, Any] | None = None) -> Audio:
        """What `tapezoo render` gives at the model's own rate: as long as the input, latency taken out.

        Args:
            model_input: Full scale is +-1; finite. Rows are channels, each with a state of its own.
            params: `{"controls": {NAME: VALUE}}` in the controls' own units; what is not named stands at its
                default.

        Shape:
            model_input, result: (channels, samples), float32.

        Raises:
            TooLongError: More than `MOST_SAMPLES`.
            SignalError: Another shape, integers that were not scaled, more channels than samples, NaN or infinity.
            ControlError: An unknown control, or a value outside its range.
        """
        audio = _check_signal(model_input)
        controls = _check_controls((params or {}).get(CONTROLS) or {})
        with self._playing:
            self._stream.reset()
            late_samples = self._stream.latency_samples
            padded = np.pad(audio, ((0, 0), (0, late_samples)))
            blocks = [
                self._stream.process(padded[:, start : start + BLOCK_SAMPLES], controls)
                for start in range(0, padded.shape[1], BLOCK_SAMPLES)
            ]
        return np.concatenate([np.zeros((len(audio), 0), np.float32), *blocks], axis=1)[:, late_samples:]


def _load_pyfunc(path: str) -> Effect:  # the name is MLflow's
    return Effect(Stream(Path(path)))


def _check_signal(model_input: Any) -> Audio:
    try:
        if np.ndim(model_input) != 2 or not len(model_input):
            raise _signal_error(
                f"an array of shape {np.shape(model_input)}", "one list of samples per channel"
            )
        if math.prod(np.shape(model_input)) > MOST_SAMPLES:
            raise TooLongError(math.prod(np.shape(model_input)))
        audio = as_rows(model_input, "samples", loud=1.0)  # MLflow makes floats of a request's integers
        check_layout(audio, "samples")
    except NoSignalError as error:
        raise _signal_error(error.found, error.fix) from error
    except ValueError as error:  # numpy, of ragged lists
        raise _signal_error(
            "lists of different lengths", "one list of samples per channel, all as long"
        ) from error
    return audio


def _check_controls(controls: Mapping[str, Any]) -> dict[str, float]:
    for name, value in controls.items():
        if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
            raise ControlError(
                f"control {name!r}",
                found=f"{value!r}",
                expected="a number in the control's own unit",
                fix="Change the value.",
            )
    return {name: float(value) for name, value in controls.items()}


def _signal_error(found: str, fix: str) -> SignalError:
    return SignalError(
        "input",
        found=found,
        expected="(channels, samples), finite, full scale +-1",
        fix=f'Send one row of samples per channel ({{"inputs": [[...], ...]}} in JSON): {fix}.',
    )
