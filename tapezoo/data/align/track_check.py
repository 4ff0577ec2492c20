"""Tests whether a trajectory is real: does reading dry along it help a linear filter on audio it was not fitted to?

A distortion, a level-dependent phase or a compressor also yields a trajectory, but one that predicts nothing. The
error is measured on whitened audio, so that the highest frequencies, which a wander affects most, count as much as the
loudest ones. 0.09 to 0.55 of the error is left on akai4000d, 0.96 or more on klon, cl1b and chowtape's static pairs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from tapezoo.data.align.track_curve import evaluate, information, solve, speed_prior
from tapezoo.data.align.track_waveform import (
    POINTS_HZ,
    Device,
    Section,
    decimated,
    filter_lengths,
    least_squares,
    listen,
    whitening,
)
from tapezoo.devices.transport import read_delayed

Real = NDArray[np.float64]

LEAST_BANDS = 3.5  # sweeps have 2.5 and less, single tones 5.5, the narrowest music 6.7
WINDOW_SAMPLES = 4096
LOWEST_BAND_HZ, BANDS = 50.0, 27
LOUD = 1e-4  # of the loudest window's energy
HOP_SAMPLES = 1024
BESIDE = 1e-5  # of the loudest band's power: bands within 50 dB of it sound, which of music are nearly all
# at once: two tones have four at most, and fit wet a period later too; of music nearly all moments have eight and more
TELLING_BANDS = 6
FADE_S = 0.01

BLOCK_S = (
    0.02  # alternate blocks are held out of the curve that is judged on them; wow and flutter are slower
)


def has_many_bands(dry: Real, sample_rate: int) -> bool:
    """Whether most moments hold several frequencies at once: `bands_at_once` is `LEAST_BANDS` or more.

    Where each holds one alone, as in a sweep, a delay that changes over time and one that changes over frequency look
    the same: what would be removed as wander may be the device's phase.

    Shape:
        dry: (samples,).
    """
    return bands_at_once(dry, sample_rate) >= LEAST_BANDS


def bands_at_once(dry: Real, sample_rate: int) -> float:
    """Median number of third-octave bands that sound at once, over all moments that are not silent; 0 if all are.

    Shape:
        dry: (samples,).
    """
    frequency_hz = np.fft.rfftfreq(WINDOW_SAMPLES, 1 / sample_rate)
    band = np.digitize(frequency_hz, LOWEST_BAND_HZ * 2 ** (np.arange(BANDS + 1) / 3))
    window = np.hanning(WINDOW_SAMPLES)
    counts, energies = [], []
    for start in range(0, len(dry) - WINDOW_SAMPLES + 1, WINDOW_SAMPLES):
        power = np.square(np.abs(np.fft.rfft(dry[start : start + WINDOW_SAMPLES] * window)))
        bands = np.bincount(band, power, BANDS + 2)[1:-1]
        level = bands**0.25  # a band 40 dB below the loudest still counts as a tenth of it
        counts.append(level.sum() ** 2 / (np.square(level).sum() + 1e-30))
        energies.append(power.sum())
    loud = np.asarray(energies) > LOUD * max(energies, default=0.0)
    return float(np.median(np.asarray(counts)[loud])) if loud.any() else 0.0


def telling(dry: Real, sample_rate: int, up_to_hz: float = np.inf) -> Real:
    """1 where dry can show a delay, 0 where it sounds one or two tones; raised cosines of 10 ms between.

    A tone fits wet one period later as well, and a device that shifts its phase with its level looks as if it moved.

    Args:
        dry: Program material.
        sample_rate: Hz.
        up_to_hz: Tones above it count as telling.

    Shape:
        dry: (samples,).
        returns: (samples,).
    """
    frequency_hz = np.fft.rfftfreq(WINDOW_SAMPLES, 1 / sample_rate)
    band = np.digitize(frequency_hz, LOWEST_BAND_HZ * 2 ** (np.arange(BANDS + 1) / 3))
    starts = range(0, len(dry), HOP_SAMPLES)
    window, half = signal.windows.blackmanharris(WINDOW_SAMPLES), (WINDOW_SAMPLES - HOP_SAMPLES) // 2
    padded = np.pad(dry, (half, WINDOW_SAMPLES + HOP_SAMPLES))
    gate = np.ones(len(dry))
    for start in starts:
        power = np.square(np.abs(np.fft.rfft(padded[start : start + WINDOW_SAMPLES] * window)))
        bands = np.bincount(band, power, BANDS + 2)[1:-1]
        is_low = LOWEST_BAND_HZ * 2 ** (bands.argmax() / 3) < up_to_hz
        if is_low and bands.any() and np.count_nonzero(bands > BESIDE * bands.max()) < TELLING_BANDS:
            gate[start : start + HOP_SAMPLES] = 0.0
    if gate.all():
        return gate
    fade = np.hanning(2 * round(FADE_S * sample_rate) + 1)
    faded: Real = np.minimum(
        gate, signal.oaconvolve(np.pad(gate, len(fade) // 2, mode="edge"), fade / fade.sum(), "valid")
    )
    return faded


def error_left(section: Section, coefficients: Real, device: Device) -> float:
    """Error of the best filter along the curve, over its error along the curve's mean; 1: no improvement.

    Args:
        section: The section that was refined.
        coefficients: Coefficients of the refined curve.
        device: What was learnt of the device.
    """
    decimation = min(device.listeners)
    hop = section.hop / decimation
    dry, wet = decimated(section.dry, decimation), decimated(section.wet, decimation)
    curve = evaluate(coefficients, wet.shape[1], hop)
    block = (np.arange(wet.shape[1]) / (BLOCK_S * section.rate_hz / decimation)).astype(int) % 2
    prior = speed_prior(section.points, section.hop, POINTS_HZ)
    held_out = np.empty(wet.shape[1])
    heard = [
        listen(section, decimation, own_dry, own_wet, curve, listener, learn=False)
        for own_dry, own_wet, listener in zip(dry, wet, device.listeners[decimation], strict=True)
    ]
    for left_out in (0, 1):
        normal, right = np.zeros((4, section.points)), np.zeros(section.points)
        for slope, residual, weight in heard:
            kept = np.where(block == left_out, 0, weight)
            own = information(slope, residual, kept, hop, section.points)
            normal, right = normal + own[0], right + own[1]
        change = solve(normal, right, prior, device.speed, coefficients).change
        other = evaluate(coefficients + change, wet.shape[1], hop)
        held_out[block == left_out] = other[block == left_out]
    weights = heard[0][2] > 0
    if not weights.any():
        return 1.0
    still = np.full(wet.shape[1], np.median(curve[weights]))
    with_curve = without = 0.0
    for own_dry, own_wet in zip(dry, wet, strict=True):
        with_curve += _error(own_dry, own_wet, held_out / decimation, weights, section.rate_hz / decimation)
        without += _error(own_dry, own_wet, still / decimation, weights, section.rate_hz / decimation)
    return with_curve / (without + 1e-30)


def _error(dry: Real, wet: Real, delay: Real, heard: NDArray[np.bool_], rate_hz: float) -> float:
    """Share of whitened wet's energy that the best linear filter of dry along `delay` does not explain."""
    room, taps = filter_lengths(rate_hz)
    inside = np.flatnonzero(heard)
    part = slice(int(inside[0]), int(inside[-1]) + 1)
    white = whitening(wet[part], 1e-4)
    x = signal.oaconvolve(read_delayed(dry, delay - room), white, "same")[part]
    y = signal.oaconvolve(wet, white, "same")[part]
    model = signal.oaconvolve(x, least_squares(x, y, taps))[: len(y)]
    return float(np.sum((y - model)[taps:] ** 2) / (np.sum(y[taps:] ** 2) + 1e-30))
