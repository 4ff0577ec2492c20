"""A transport by its spectrum: lines, and noise between them, each with phases of its own in every take."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal as scipy_signal
from scipy.ndimage import median_filter

from tapezoo.transport.stretches import POINTS_PER_S, Real, Stretch

WINDOW_POINTS = 1024  # 10 s, of longer stretches: a grid of .1 Hz
FINE = 8  # times finer is the grid on which lines are sought
MOST_LINES = 12
STANDS_DB = 10.0  # over the noise on either side, for a peak to be sought as a line
BESIDE_HZ = 1.5  # how far that noise is taken from
LINE_WINDOW_S = 5.0  # in which a line has one amplitude and one phase
RAYLEIGH, SURE = (
    0.52,
    1.5,
)  # spread of the amplitudes of narrow noise over their mean, and by how much less it must be
SLOW_HZ = 6.0  # where wow ends and flutter begins (AES6)


@dataclass(frozen=True)
class Line:
    """A periodic deviation of the speed: a capstan, a pinch roller, a reel.

    Args:
        frequency_hz: Hz.
        amplitude: Peak, relative to the speed.
    """

    frequency_hz: float
    amplitude: float


@dataclass(frozen=True)
class SpectralTransport:
    """What a machine's speed does, as a stationary process.

    Args:
        frequency_hz: (bins,), ascending from 0, Hz.
        density: (bins,), of the relative deviation of the speed without the lines, 1/Hz.
        lines: By falling amplitude.
        lowest_hz: Below it nothing was seen: the longest stretch has one period of it.
        mean_s: Mean delay, s.
    """

    frequency_hz: Real
    density: Real
    lines: tuple[Line, ...]
    lowest_hz: float
    mean_s: float


def learn_spectrum(stretches: Sequence[Stretch]) -> SpectralTransport:
    """Finds the lines, takes them off, and measures the spectrum of what is left.

    Args:
        stretches: One at least, see `tapezoo.transport.stretches.check_stretches`.
    """
    speeds = [stretch.speed for stretch in stretches]
    lines, left = _take_lines(speeds)
    window = min(WINDOW_POINTS, max(len(speed) for speed in speeds))
    frequency, density = _density(left, window, window)
    return SpectralTransport(
        frequency,
        density,
        lines,
        POINTS_PER_S / max(len(speed) for speed in speeds),
        float(np.mean([stretch.mean_s for stretch in stretches])),
    )


def make_take(
    transport: SpectralTransport, seconds: float, seed: int, wow: float = 1.0, flutter: float = 1.0
) -> Real:
    """Another take of the machine: a delay over time, in s, which begins anew without a seam where it ends.

    The noise is Gaussian with the measured spectrum (Timmer, Koenig, "On generating power law noise", Astron.
    Astrophys. 300, 1995), the lines have their amplitudes and any phase; each is at the next frequency of which the
    take holds whole periods.

    Args:
        transport: What was learned.
        seconds: Length, s.
        seed: Of the take.
        wow: Factor on all under 6 Hz.
        flutter: Factor on all above.

    Shape:
        returns: (seconds * 100,), its mean that of the machine.
    """
    points = round(seconds * POINTS_PER_S)
    random = np.random.Generator(np.random.Philox(seed))
    frequency: Real = np.fft.rfftfreq(points, 1 / POINTS_PER_S).astype(np.float64)
    density = np.interp(frequency, transport.frequency_hz, transport.density)
    noise = random.standard_normal((2, len(frequency)))
    # of a real signal each bin holds half of the power of its two
    speed = np.sqrt(density * POINTS_PER_S * points / 4) * (noise[0] + 1j * noise[1])
    speed[frequency < transport.lowest_hz] = 0
    for line, turn in zip(transport.lines, random.random(len(transport.lines)), strict=True):
        place = round(line.frequency_hz * points / POINTS_PER_S)
        if 0 < place < len(frequency) - 1:
            speed[place] += line.amplitude * points / 2 * np.exp(2j * np.pi * turn)
    speed *= np.where(frequency < SLOW_HZ, wow, flutter)
    step = np.exp(2j * np.pi * frequency / POINTS_PER_S) - 1
    step[0] = 1
    delay = -speed / (POINTS_PER_S * step)
    delay[0] = 0
    if points % 2 == 0:
        delay[-1] = delay[-1].real
    made: Real = np.fft.irfft(delay, points) + transport.mean_s
    return made


def _take_lines(speeds: Sequence[Real]) -> tuple[tuple[Line, ...], list[Real]]:
    """The lines, and the speeds without them."""
    longest = max(len(speed) for speed in speeds)
    window = min(WINDOW_POINTS, longest)
    candidates, left = [], list(speeds)
    for _ in range(MOST_LINES):
        hertz, density = _density(left, window, FINE * window)
        width = 2 * round(BESIDE_HZ / hertz[1]) + 1
        floor = median_filter(density, width, mode="nearest")
        lowest = int(np.searchsorted(hertz, 2.5 * POINTS_PER_S / longest))
        over = density[lowest:] / np.maximum(floor[lowest:], 1e-30)
        peak = lowest + int(np.argmax(over))
        if 10 * np.log10(over.max(initial=1e-30)) < STANDS_DB:
            break
        frequency = float(hertz[peak])
        pairs = [_fit(speed, frequency) for speed in left]
        amplitudes = np.concatenate([amplitude for amplitude, _ in pairs])
        left = [without for _, without in pairs]
        spread = float(amplitudes.std() / max(amplitudes.mean(), 1e-30))
        steady = spread < RAYLEIGH * (1 - SURE / np.sqrt(len(amplitudes)))
        candidates.append((Line(frequency, float(np.sqrt(np.mean(np.square(amplitudes))))), steady))
    lines = [line for line, steady in candidates if steady]
    # narrow noise is no line: it goes back into the spectrum
    clean = [_without(speed, [line.frequency_hz for line in lines]) for speed in speeds]
    return tuple(sorted(lines, key=lambda line: -line.amplitude)), clean


def _fit(speed: Real, frequency_hz: float) -> tuple[Real, Real]:
    """Amplitudes of one line in windows of five seconds, and the speed without it."""
    left, amplitudes = speed.copy(), []
    for piece in _windows(len(speed)):
        waves = _waves(piece, [frequency_hz])
        share, *_ = np.linalg.lstsq(waves, speed[piece], rcond=None)
        amplitudes.append(float(np.hypot(share[0], share[1])))
        left[piece] -= waves[:, :2] @ share[:2]
    return np.asarray(amplitudes), left


def _without(speed: Real, frequencies_hz: Sequence[float]) -> Real:
    """The speed without lines, all fitted at once."""
    left = speed.copy()
    for piece in _windows(len(speed)):
        waves = _waves(piece, frequencies_hz)
        share, *_ = np.linalg.lstsq(waves, speed[piece], rcond=None)
        left[piece] -= waves[:, :-1] @ share[:-1]
    return left


def _windows(points: int) -> list[slice]:
    """Of five seconds, the rest shared out among them."""
    count = max(1, int(points / (LINE_WINDOW_S * POINTS_PER_S)))
    edges = np.linspace(0, points, count + 1).round().astype(int).tolist()
    return [slice(first, last) for first, last in itertools.pairwise(edges)]


def _waves(piece: slice, frequencies_hz: Sequence[float]) -> Real:
    """Cosine and sine of each frequency, and a constant: (points, 2 * frequencies + 1)."""
    turns = (
        2 * np.pi / POINTS_PER_S * np.arange(piece.start, piece.stop)[:, None] * np.asarray(frequencies_hz)
    )
    columns = np.stack([np.cos(turns), np.sin(turns)], axis=-1).reshape(len(turns), -1)
    return np.concatenate([columns, np.ones((len(turns), 1))], axis=1)


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
