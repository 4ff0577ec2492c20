"""Modulation noise by its spectrum: the gain of a tape wavers, since its coating is uneven."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import signal as scipy_signal
from scipy.fft import irfft, rfft, rfftfreq

from tapezoo.tape.errors import TapeError
from tapezoo.tape.steady_tones import LOWEST_HZ, POINTS_PER_S, Tone
from tapezoo.tape.synthesis import noise_spectrum

WINDOW_S = 2.0  # of the spectrum: .5 Hz
SMOOTH = 2 ** (1 / 12)  # the spectrum is a mean over a sixth of an octave
STILL_SHARE = (0.6, 0.9)  # of the band: no speed wanders so fast, and what the phase does there is hiss
LEAST_SHARE = 0.1  # of what wavers: less is within the error of what hiss does
LEAST_DB = -100.0  # re the tone: 16 bits round no worse
LINE_SHARE, LINE_LOWEST_HZ, LINE_BINS = 0.5, 4.0, 1  # of the power, in a line so many bins to either side

Real = NDArray[np.float64]


@dataclass(frozen=True)
class ModulationSpectrum:
    """What the gain does, as a stationary process.

    Args:
        frequency_hz: (bins,), ascending from 0, Hz.
        density: (bins,), of the relative deviation of the gain, 1/Hz; 0 below 1 Hz and beyond what was seen.
        hiss: Of the hiss beside the tone, which is taken off, in the same unit.
    """

    frequency_hz: Real
    density: Real
    hiss: float

    def level_db(self, low_hz: float = 0.0, high_hz: float = np.inf) -> float:
        """RMS of the deviation in a band, dB re the tone."""
        inside = (self.frequency_hz >= low_hz) & (self.frequency_hz < high_hz)
        power = float(self.density[inside].sum() * self.frequency_hz[1])
        return 10 * float(np.log10(max(power, 1e-30)))

    @property
    def highest_hz(self) -> float:
        """Beyond it nothing was seen."""
        return float(self.frequency_hz[-1])

    @property
    def heard_with_hiss(self) -> ModulationSpectrum:
        """As a tone beside that hiss shows it."""
        return replace(self, density=np.where(self.frequency_hz >= LOWEST_HZ, self.density + self.hiss, 0))


def learn_modulation(tones: Sequence[Tone], sources: str) -> ModulationSpectrum:
    """The spectrum of what the amplitudes of tones do, less what hiss makes of it.

    Hiss moves amplitude and phase alike, the gain the amplitude alone, and the speed the phase alone, and slowly: so
    what the phase does high up in the band is how much hiss there is.

    Args:
        tones: One at least; of several with bands of their own the narrowest counts.
        sources: Their names.

    Raises:
        TapeError: There is none: nothing wavers, or no more than the hiss makes; or half of it is a line, which is
            no noise.
    """
    band_hz = min(tone.band_hz for tone in tones)
    hertz, amplitude = _density([tone.amplitude for tone in tones])
    _, phase = _density([tone.phase for tone in tones])
    hertz, amplitude, phase = (values[hertz <= band_hz] for values in (hertz, amplitude, phase))
    seen = hertz >= LOWEST_HZ
    still = (hertz >= STILL_SHARE[0] * band_hz) & (hertz <= STILL_SHARE[1] * band_hz)
    hiss = float(phase[still].mean())
    if float(amplitude[seen].sum()) * hertz[1] >= 10 ** (LEAST_DB / 10):  # less is rounding, which may beat
        _check_lines(sources, hertz, amplitude)
    smooth = _smoothed(amplitude)
    own = np.where(seen & (smooth - hiss > LEAST_SHARE * smooth), smooth - hiss, 0)
    found = ModulationSpectrum(hertz, own, hiss)
    share = float(own.sum() / max(float(amplitude[seen].sum()), 1e-30))
    if found.level_db() < LEAST_DB or share < LEAST_SHARE:
        what = (
            "a tone that stands still"
            if found.level_db() < LEAST_DB
            else "a tone that hiss alone makes waver"
        )
        raise TapeError(
            sources,
            found=what,
            expected="one whose level wavers by itself",
            fix="Record the tone louder, from the tape; a machine that has no modulation noise needs none.",
        )
    return found


def make_modulation(modulation: ModulationSpectrum, seconds: float, rate_hz: int, seed: int) -> Real:
    """Relative deviation of a gain, another for another seed; where it ends it can begin anew.

    Args:
        modulation: What was learned.
        seconds: Length, s.
        rate_hz: Of what is made, Hz.
        seed: Of the noise.

    Shape:
        returns: (seconds * rate_hz,), around 0.
    """
    points = round(seconds * rate_hz)
    random = np.random.Generator(np.random.Philox(seed))
    hertz = rfftfreq(points, 1 / rate_hz)
    density = np.interp(hertz, modulation.frequency_hz, modulation.density, right=0)
    made: Real = irfft(noise_spectrum(density, (), rate_hz, points, random), points)
    return made


def heard_deviation(tone: Tone, highest_hz: float) -> Real:
    """A tone's relative deviation from 1 Hz to the highest that is asked for, Hz."""
    spectrum = rfft(scipy_signal.detrend(tone.amplitude))
    hertz = rfftfreq(len(tone.amplitude), 1 / POINTS_PER_S)
    spectrum[(hertz < LOWEST_HZ) | (hertz > highest_hz)] = 0
    heard: Real = irfft(spectrum, len(tone.amplitude))
    return heard


def _density(signals: Sequence[Real]) -> tuple[Real, Real]:
    """Welch's estimate over all, weighted by their length."""
    window = round(WINDOW_S * POINTS_PER_S)
    total, points = np.zeros(window // 2 + 1), 0
    for signal in signals:
        hertz, density = scipy_signal.welch(signal, POINTS_PER_S, nperseg=window, detrend="linear")
        total += len(signal) * density
        points += len(signal)
    return hertz.astype(np.float64), total / points


def _smoothed(density: Real) -> Real:
    """The mean over a sixth of an octave around each bin: one bin alone scatters by a fifth in half a minute."""
    bins = np.arange(len(density))
    first, last = np.round(bins / SMOOTH).astype(int), np.round(bins * SMOOTH).astype(int) + 1
    last = np.minimum(last, len(density))
    sums = np.concatenate([[0.0], np.cumsum(density)])
    smooth: Real = (sums[last] - sums[first]) / (last - first)
    return smooth


def _check_lines(sources: str, hertz: Real, density: Real) -> None:
    """Raises TapeError where a line is most of what wavers: a second tone, or hum."""
    wide = 2 * LINE_BINS + 1
    power = np.convolve(density, np.ones(wide), "same")
    floor = wide * scipy_signal.medfilt(density, 8 * wide + 1)
    over = np.where(hertz >= LINE_LOWEST_HZ, power - floor, 0)
    peak = int(np.argmax(over))
    share = float(over[peak] / max(float(density[hertz >= LOWEST_HZ].sum()), 1e-30))
    if share > LINE_SHARE:
        raise TapeError(
            sources,
            found=f"a level that wavers {hertz[peak]:.1f} times per second, which is {share:.0%} of all that it does",
            expected="noise, as the unevenness of a tape makes it",
            fix="Record one tone alone, without hum; a line like that is no noise, and would be made as one.",
        )
