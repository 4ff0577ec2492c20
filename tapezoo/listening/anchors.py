"""The anchors of MUSHRA: the reference without its high frequencies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import signal as scipy_signal

from tapezoo.listening.errors import ListeningError

Signal = NDArray[np.float64]  # (samples,), full scale is +-1

LOW_HZ, MID_HZ = 3500, 7000  # BS.1534-3, 5.1
STOP_DB = (
    60.0  # BS.1534-3 asks for 25 dB at 8/7 of the cutoff and 50 dB at 9/7; this filter has 60 dB from 8/7 on
)
TRANSITION = 1 / 7  # of the cutoff: 3.5 to 4 kHz


def least_rate(cutoff_hz: int) -> int:
    """The lowest sample rate at which the anchor differs from its reference, Hz."""
    return round(2 * cutoff_hz * (1 + TRANSITION)) + 1


def low_pass(cutoff_hz: int, sample_rate: int) -> Signal:
    """The taps of a linear-phase low-pass, an odd number, (taps,).

    The pass band ends at the cutoff, within 0.1 dB; from 8/7 of it on 60 dB are taken off. BS.1534-3 gives these limits
    for 3.5 kHz alone, in Hz; for 7 kHz they are scaled with the cutoff.

    Args:
        cutoff_hz: 3500 or 7000.
        sample_rate: Hz, at least `least_rate` of the cutoff.

    Raises:
        ListeningError: A sample rate that is too low.
    """
    if sample_rate < least_rate(cutoff_hz):
        raise ListeningError(
            "MUSHRA",
            found=f"recordings at {sample_rate} Hz",
            expected=f"{least_rate(cutoff_hz)} Hz or more: the anchor at {cutoff_hz} Hz would be the reference itself",
            fix="Make an ABX or DMOS test, which have no anchors: --kind abx, or --kind dmos.",
        )
    width_hz = TRANSITION * cutoff_hz
    taps, beta = scipy_signal.kaiserord(STOP_DB, width_hz / (sample_rate / 2))
    designed: Signal = scipy_signal.firwin(
        taps | 1, cutoff_hz + width_hz / 2, window=("kaiser", beta), fs=sample_rate
    )
    return designed


def anchor(reference: Signal, cutoff_hz: int, sample_rate: int) -> Signal:
    """The reference through `low_pass`, without delay; (samples,) to the same length."""
    filtered: Signal = scipy_signal.fftconvolve(reference, low_pass(cutoff_hz, sample_rate), mode="full")
    late = (len(filtered) - len(reference)) // 2
    return filtered[late : late + len(reference)]
