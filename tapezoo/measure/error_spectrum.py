"""Where in frequency a model is wrong, and where the machine's own noise would hide it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapezoo.measure.spectrum import power_spectrum
from tapezoo.measure.third_octaves import third_octaves

LOWEST_BAND, HIGHEST_BAND = -13, 13  # third octaves from 50 Hz to 20 kHz
WINDOW_S, QUIET_SHARE = 0.2, 0.1
SILENT_DB = -120.0  # re full scale, in a band

Signal = NDArray[np.floating]


@dataclass(frozen=True)
class ErrorSpectrum:
    """Levels in third octaves, RMS in dB re full scale, -120 at least.

    Args:
        frequency_hz: (bands,), their middles, Hz.
        target_db: (bands,), of the target in the excerpts.
        error_db: (bands,), of output minus target there.
        quiet_db: (bands,), of the target where the whole split is quietest: its noise, if there are pauses; None where
            there is no window that is not digital silence.
    """

    frequency_hz: NDArray[np.float64]
    target_db: NDArray[np.float64]
    error_db: NDArray[np.float64]
    quiet_db: NDArray[np.float64] | None


def measure_error_spectrum(
    targets: Sequence[Signal], outputs: Sequence[Signal], split: Sequence[Signal], sample_rate: int
) -> ErrorSpectrum:
    """Means of power over the excerpts, and over the quietest tenth of the windows of 0.2 s of the whole split.

    Args:
        targets: Of the excerpts, (samples,) each.
        outputs: Of the model, as long.
        split: Targets of the whole split, (samples,) each.
        sample_rate: Hz.
    """
    errors = [output - target for target, output in zip(targets, outputs, strict=True)]
    frequency_hz, target_db = _levels(targets, sample_rate)
    quiet = _quietest(split, round(WINDOW_S * sample_rate))
    return ErrorSpectrum(
        frequency_hz,
        target_db,
        _levels(errors, sample_rate)[1],
        _levels(quiet, sample_rate)[1] if quiet else None,
    )


def _levels(signals: Sequence[Signal], rate: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means over the time of all signals together; short ones are padded to a window."""
    least = 2 * round(WINDOW_S * rate / 2)
    total, samples = np.zeros(1), 0
    for signal in signals:
        length = max(len(signal), least)
        padded = np.pad(np.asarray(signal, np.float64), (0, length - len(signal)))
        total = total + length * power_spectrum(padded, rate)
        samples += len(signal)
    hertz = np.linspace(0, rate / 2, len(total))
    middle_hz, power = third_octaves(total / max(samples, 1), hertz, LOWEST_BAND, HIGHEST_BAND)
    return middle_hz, 10 * np.log10(np.maximum(power, 10 ** (SILENT_DB / 10)))


def _quietest(split: Sequence[Signal], window: int) -> list[Signal]:
    """A tenth of the windows that are not digital silence, the quietest."""
    cut = [row[: len(row) // window * window].reshape(-1, window) for row in split]
    windows = np.concatenate(cut) if cut else np.zeros((0, window))
    energy = np.square(windows, dtype=np.float64).sum(axis=1)
    heard = np.flatnonzero(energy > window * 10 ** (SILENT_DB / 10))
    chosen = heard[np.argsort(energy[heard])][: math.ceil(QUIET_SHARE * len(heard))]
    return list(windows[chosen])
