"""Gaussian noise of a given spectrum, and lines, as periodic signals: where one ends it can begin anew."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]
RAYLEIGH, SURE = (
    0.52,
    1.5,
)  # spread of the amplitudes of narrow noise over their mean, and by how much less it must be


@dataclass(frozen=True)
class Line:
    """A periodic part: of a speed a capstan, a pinch roller, a reel; of a noise the mains.

    Args:
        frequency_hz: Hz.
        amplitude: Peak, in the unit of the signal.
    """

    frequency_hz: float
    amplitude: float


def is_steady(amplitudes: Real) -> bool:
    """Whether the amplitudes of a peak, measured in window after window, are a line's.

    Those of narrow noise spread by .52 of their mean (Rayleigh); fewer windows have to spread by less to be believed.
    """
    spread = float(amplitudes.std() / max(float(amplitudes.mean()), 1e-30))
    return spread < RAYLEIGH * (1 - SURE / float(np.sqrt(len(amplitudes))))


def waves(points: slice, frequencies_hz: Sequence[float], rate_hz: float) -> Real:
    """Cosine and sine of each frequency, and a constant: (points, 2 * frequencies + 1)."""
    turns = 2 * np.pi / rate_hz * np.arange(points.start, points.stop)[:, None] * np.asarray(frequencies_hz)
    columns = np.stack([np.cos(turns), np.sin(turns)], axis=-1).reshape(len(turns), -1)
    return np.concatenate([columns, np.ones((len(turns), 1))], axis=1)


def pieces(points: int, window_points: int) -> list[slice]:
    """Windows side by side, the rest shared out among them."""
    count = max(1, points // window_points)
    edges = np.linspace(0, points, count + 1).round().astype(int).tolist()
    return [slice(first, last) for first, last in itertools.pairwise(edges)]


def without_lines(signal: Real, lines: Sequence[Line], rate_hz: float, window_points: int) -> Real:
    """The signal without lines, all fitted at once by least squares in windows of so many points.

    Shape:
        signal, returns: (points,).
    """
    left = signal.copy()
    for piece in pieces(len(signal), window_points) if lines else []:
        own = waves(piece, [line.frequency_hz for line in lines], rate_hz)
        share, *_ = np.linalg.lstsq(own, signal[piece], rcond=None)
        left[piece] -= own[:, :-1] @ share[:-1]
    return left


def noise_spectrum(
    density: Real, lines: Sequence[Line], rate_hz: float, points: int, random: np.random.Generator
) -> NDArray[np.complex128]:
    """The transform of a periodic signal: Gaussian noise (Timmer, Koenig, Astron. Astrophys. 300, 1995) and lines.

    Args:
        density: (points // 2 + 1,), at the frequencies of the transform, per Hz.
        lines: Each is moved to the next frequency of which the signal holds whole periods, and has any phase.
        rate_hz: Points per second.
        points: Of the signal.
        random: Draws it.
    """
    noise = random.standard_normal((2, len(density)))
    # of a real signal each bin holds half of the power of its two
    spectrum: NDArray[np.complex128] = np.sqrt(density * rate_hz * points / 4) * (noise[0] + 1j * noise[1])
    spectrum[0] = 0
    for line, turn in zip(lines, random.random(len(lines)), strict=True):
        place = round(line.frequency_hz * points / rate_hz)
        if 0 < place < len(density) - 1:
            spectrum[place] += line.amplitude * points / 2 * np.exp(2j * np.pi * turn)
    return spectrum
