"""A machine's noise by its spectrum, with the lines of the mains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal as scipy_signal
from scipy.fft import irfft, rfftfreq

from tapezoo.tape.synthesis import Line, is_steady, noise_spectrum, without_lines

WINDOW_SAMPLES = 8192
MAINS_HZ = (50.0, 60.0)  # nominal
MAINS_OFF, GRID = 0.004, 17  # by how much grids are off at most, steps of that
FIRST_LINES, LONGEST_WINDOW_S = 4, 8.0  # by which it is told
HIGHEST_HUM_HZ, LOW_RATE_HZ = 1000.0, 4000
STANDS_DB = 10.0  # power of a line over that of the noise in a window
HUM_WINDOW_S, HANN = 1.0, 1.5  # bandwidth of that window, in bins

Signal = NDArray[np.float64]


@dataclass(frozen=True)
class MachineNoise:
    """What comes out when nothing goes in, as a stationary process.

    Args:
        sample_rate: Hz.
        density: (bins,), from 0 Hz to half the rate, without the hum, full scale squared per Hz.
        hum: Lines of the mains that stand out; amplitudes re full scale.
    """

    sample_rate: int
    density: Signal
    hum: tuple[Line, ...]


def learn_noise(rests: Sequence[Signal], sample_rate: int) -> MachineNoise:
    """Takes the hum off, and measures the spectrum of what is left.

    Args:
        rests: Of the machine, see `tapezoo.tape.rests`.
        sample_rate: Hz.
    """
    hum = find_hum(rests, sample_rate)
    left = [without_hum(rest, hum, sample_rate) for rest in rests]
    return MachineNoise(sample_rate, _density(left, sample_rate), hum)


def find_hum(rests: Sequence[Signal], sample_rate: int) -> tuple[Line, ...]:
    """The lines of the mains that stand out.

    Args:
        rests: See `learn_noise`.
        sample_rate: Hz.
    """
    step = max(1, sample_rate // LOW_RATE_HZ)  # hum is low
    low = [scipy_signal.resample_poly(rest, 1, step) for rest in rests]
    return max(
        (_find_hum(low, sample_rate / step, mains) for mains in MAINS_HZ),
        key=lambda lines: sum(line.amplitude**2 for line in lines),
    )


def without_hum(rest: Signal, hum: Sequence[Line], sample_rate: int) -> Signal:
    """What is left of it without these lines."""
    return without_lines(rest, hum, sample_rate, round(HUM_WINDOW_S * sample_rate))


def make_noise(noise: MachineNoise, seconds: float, seed: int) -> Signal:
    """Noise of the machine, another for another seed; where it ends it can begin anew.

    Args:
        noise: What was learned.
        seconds: Length, s.
        seed: Of the noise.

    Shape:
        returns: (seconds * sample_rate,).
    """
    samples = round(seconds * noise.sample_rate)
    random = np.random.Generator(np.random.Philox(seed))
    hertz = rfftfreq(samples, 1 / noise.sample_rate)
    grid = np.linspace(0, noise.sample_rate / 2, len(noise.density))
    density = np.interp(hertz, grid, noise.density)
    spectrum = noise_spectrum(density, noise.hum, noise.sample_rate, samples, random)
    made: Signal = irfft(spectrum, samples)
    return made


def _find_hum(rests: Sequence[Signal], rate: float, mains_hz: float) -> tuple[Line, ...]:
    """Of windows of a second; where there is none, there is no telling hum from noise."""
    window = round(HUM_WINDOW_S * rate)
    windows = [
        rest[first : first + window] for rest in rests for first in range(0, len(rest) - window + 1, window)
    ]
    if len(windows) < 2:
        return ()
    numbers = np.arange(1.0, int(min(HIGHEST_HUM_HZ, rate / 4) / mains_hz) + 1)
    hertz = numbers * mains_hz * _grid_is_off(rests, rate, numbers * mains_hz)
    amplitude = _amplitudes(windows, hertz, rate)
    density = _density(windows, rate)
    floor = _floor(density, rate, hertz, mains_hz) / HUM_WINDOW_S
    found = []
    for number, frequency in enumerate(hertz):
        amplitudes = amplitude[:, number]
        # without the noise there
        power = float(np.mean(np.square(amplitudes))) / 2 - HANN * float(floor[number])
        if is_steady(amplitudes) and power > 10 ** (STANDS_DB / 10) * floor[number]:
            found.append(Line(float(frequency), float(np.sqrt(2 * power))))
    return tuple(found)


def _floor(density: Signal, rate: float, hertz: Signal, mains_hz: float) -> Signal:
    """The noise under each line: the median from halfway to the line before to halfway to the next one."""
    grid = np.linspace(0, rate / 2, len(density))
    beside = [density[np.abs(grid - line) < mains_hz / 2] for line in hertz]
    return np.asarray([np.median(near) for near in beside])


def _grid_is_off(rests: Sequence[Signal], rate: float, nominal_hz: Signal) -> float:
    """The factor on the nominal frequencies of the mains at which all rests, as long as they are, have most power."""
    factors = np.linspace(1 - MAINS_OFF, 1 + MAINS_OFF, GRID)
    hertz = (nominal_hz[:FIRST_LINES, None] * factors).ravel()
    power = np.zeros(GRID)
    for rest in rests:
        for first in range(0, len(rest), round(LONGEST_WINDOW_S * rate)):
            piece = rest[first : first + round(LONGEST_WINDOW_S * rate)]
            square = np.square(_amplitudes([piece], hertz, rate)[0])
            power += len(piece) ** 2 * square.reshape(-1, GRID).sum(axis=0)
    return float(factors[int(np.argmax(power))])


def _amplitudes(windows: Sequence[Signal], hertz: Signal, rate: float) -> Signal:
    """(windows, lines), by the inner product with each under a Hann window."""
    taper = np.hanning(len(windows[0]))
    turns = np.exp(-2j * np.pi / rate * np.arange(len(taper))[:, None] * hertz) * taper[:, None]
    found: Signal = np.abs(np.stack(windows) @ turns) * 2 / taper.sum()
    return found


def _density(rests: Sequence[Signal], rate: float) -> Signal:
    """Welch's estimate over all rests, weighted by their length."""
    total, samples = np.zeros(WINDOW_SAMPLES // 2 + 1), 0
    for rest in rests:
        length = min(WINDOW_SAMPLES, len(rest))
        _, density = scipy_signal.welch(rest, rate, nperseg=length, nfft=WINDOW_SAMPLES, detrend="constant")
        total += len(rest) * density
        samples += len(rest)
    return total / samples
