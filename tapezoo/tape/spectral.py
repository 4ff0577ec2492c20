"""A transport by its spectrum: lines, and noise between them, each with phases of its own in every take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal as scipy_signal
from scipy.ndimage import median_filter

from tapezoo.tape.stretches import POINTS_PER_S, Real, Stretch
from tapezoo.tape.synthesis import Line, is_steady, noise_spectrum, pieces, waves, without_lines

WINDOW_POINTS = 1024  # 10 s, of longer stretches: a grid of .1 Hz
FINE = 8  # times finer is the grid on which lines are sought
MOST_LINES = 12
STANDS_DB = 10.0  # over the noise on either side, for a peak to be sought as a line
BESIDE_HZ = 1.5  # how far that noise is taken from
LINE_WINDOW_POINTS = 500  # 5 s, in which a line has one amplitude and one phase


@dataclass(frozen=True)
class SpectralTransport:
    """What a machine's speed does, as a stationary process.

    Args:
        frequency_hz: (bins,), ascending from 0, Hz.
        density: (bins,), of the relative deviation of the speed without the lines, 1/Hz.
        lines: By falling amplitude.
        lowest_hz: Below it nothing was seen: the longest stretch has one period of it.
    """

    frequency_hz: Real
    density: Real
    lines: tuple[Line, ...]
    lowest_hz: float


def learn_spectrum(stretches: Sequence[Stretch]) -> SpectralTransport:
    """Finds the lines, takes them off, and measures the spectrum of what is left.

    Args:
        stretches: One at least, see `tapezoo.tape.stretches.check_stretches`.
    """
    speeds = [stretch.speed for stretch in stretches]
    lines = find_lines(speeds)
    left = [without_steady(speed, lines) for speed in speeds]
    window = min(WINDOW_POINTS, max(len(speed) for speed in speeds))
    frequency, density = _density(left, window, window)
    return SpectralTransport(
        frequency,
        density,
        lines,
        POINTS_PER_S / max(len(speed) for speed in speeds),
    )


def make_take(transport: SpectralTransport, seconds: float, seed: int) -> Real:
    """Another take of the machine: a delay over time, in s, which begins anew without a seam where it ends.

    The noise is Gaussian with the measured spectrum, the lines have their amplitudes and any phase: `noise_spectrum`.

    Args:
        transport: What was learned.
        seconds: Length, s.
        seed: Of the take.

    Shape:
        returns: (seconds * 100,), around 0: how much later a recording began is none of the machine's.
    """
    points = round(seconds * POINTS_PER_S)
    random = np.random.Generator(np.random.Philox(seed))
    frequency: Real = np.fft.rfftfreq(points, 1 / POINTS_PER_S).astype(np.float64)
    density = np.interp(frequency, transport.frequency_hz, transport.density)
    density[frequency < transport.lowest_hz] = 0
    speed = noise_spectrum(density, transport.lines, POINTS_PER_S, points, random)
    step = np.exp(2j * np.pi * frequency / POINTS_PER_S) - 1
    step[0] = 1
    delay = -speed / (POINTS_PER_S * step)
    delay[0] = 0
    if points % 2 == 0:
        delay[-1] = delay[-1].real
    made: Real = np.fft.irfft(delay, points)
    return made


def find_lines(speeds: Sequence[Real]) -> tuple[Line, ...]:
    """The steady ones, by falling amplitude.

    Args:
        speeds: (points,) each, 100 per second.
    """
    longest = max(len(speed) for speed in speeds)
    candidates, left = [], list(speeds)
    for _ in range(MOST_LINES):
        hertz, whole = over_floor(left)
        lowest = int(np.searchsorted(hertz, 2.5 * POINTS_PER_S / longest))
        over = whole[lowest:]
        peak = lowest + int(np.argmax(over))
        if 10 * np.log10(over.max(initial=1e-30)) < STANDS_DB:
            break
        frequency = float(hertz[peak])
        pairs = [fit_line(speed, frequency) for speed in left]
        amplitudes = np.concatenate([amplitude for amplitude, _ in pairs])
        left = [without for _, without in pairs]
        candidates.append(
            (Line(frequency, float(np.sqrt(np.mean(np.square(amplitudes))))), is_steady(amplitudes))
        )
    lines = [line for line, steady in candidates if steady]
    # narrow noise is no line: it stays in the spectrum
    return tuple(sorted(lines, key=lambda line: -line.amplitude))


def without_steady(speed: Real, lines: Sequence[Line]) -> Real:
    """What is left of it without these lines."""
    return without_lines(speed, lines, POINTS_PER_S, LINE_WINDOW_POINTS)


def over_floor(speeds: Sequence[Real]) -> tuple[Real, Real]:
    """Frequencies, Hz, and how many times the density there is that of the noise on either side."""
    window = min(WINDOW_POINTS, max(len(speed) for speed in speeds))
    hertz, density = _density(speeds, window, FINE * window)
    floor = median_filter(density, 2 * round(BESIDE_HZ / hertz[1]) + 1, mode="nearest")
    return hertz, density / np.maximum(floor, 1e-30)


def fit_line(speed: Real, frequency_hz: float) -> tuple[Real, Real]:
    """Amplitudes of one line in windows of five seconds, and the speed without it."""
    left, amplitudes = speed.copy(), []
    for piece in pieces(len(speed), LINE_WINDOW_POINTS):
        own = waves(piece, [frequency_hz], POINTS_PER_S)
        share, *_ = np.linalg.lstsq(own, speed[piece], rcond=None)
        amplitudes.append(float(np.hypot(share[0], share[1])))
        left[piece] -= own[:, :2] @ share[:2]
    return np.asarray(amplitudes), left


def _density(speeds: Sequence[Real], window: int, grid: int) -> tuple[Real, NDArray[np.float64]]:
    """Welch's estimate over all stretches, weighted by their length."""
    total, points = np.zeros(grid // 2 + 1), 0
    for speed in speeds:
        hertz, density = scipy_signal.welch(
            speed, POINTS_PER_S, nperseg=min(window, len(speed)), nfft=grid, detrend="constant"
        )
        total += len(speed) * density
        points += len(speed)
    return hertz.astype(np.float64), total / points
