"""The responses of a net whose parts have names, as data to draw; no drawing here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Response:
    """One block's behaviour at one setting of the controls.

    Args:
        block: Name of the block; responses of the same block are drawn together.
        label: Label of this line within its block.
        kind: "magnitude": x in Hz, y in dB; "curve": x and y are amplitudes, full scale is 1.
        x: (points,)
        y: (points,)
    """

    block: str
    label: str
    kind: Literal["magnitude", "curve"]
    x: NDArray[np.float64]
    y: NDArray[np.float64]


@runtime_checkable
class Explained(Protocol):
    """A net whose blocks can be displayed one by one."""

    def responses(self, sample_rate: int, controls: Tensor) -> list[Response]:
        """Every block's response, in the order of the signal; controls (1, num_controls) in 0..1."""


def fir_magnitude(block: str, taps: Tensor, sample_rate: int, points: int = 400) -> Response:
    """The magnitude response of an FIR.

    Args:
        block: Name of the block.
        taps: (taps,), in either order.
        sample_rate: Hz.
        points: Number of frequencies, log-spaced.
    """
    import scipy.signal  # imported here: it takes as long as torch to import, and playing a net draws nothing

    frequencies_hz = audible_hz(sample_rate, points)
    coefficients = taps.detach().cpu().double().numpy()
    _, response = scipy.signal.freqz(coefficients, worN=frequencies_hz, fs=sample_rate)
    level_db = decibels(np.abs(response))
    return Response(block, f"{len(coefficients)} taps", "magnitude", frequencies_hz, level_db)


def audible_hz(sample_rate: int, points: int = 400) -> NDArray[np.float64]:
    """Frequencies from 20 Hz to just below half the sample rate, log-spaced."""
    return np.geomspace(20.0, 0.499 * sample_rate, points)


def decibels(magnitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """20 log10, limited to -200 dB."""
    level: NDArray[np.float64] = 20 * np.log10(np.maximum(magnitude, 1e-10))
    return level
