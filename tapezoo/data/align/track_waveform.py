"""A trajectory to a fraction of a sample, from the waveform itself.

Wet is modelled as a linear filter of dry that is read along the delay. Filter and delay are found in turns: the
filter by least squares, the delay by Gauss-Newton, since one sample more of delay changes the model by minus its slope.
Both are whitened by the residual's spectrum, so that every frequency counts by the information it holds. The delay is a
Gaussian process with the speed of a transport (`track_curve`); the result is the maximum a posteriori estimate with its
deviation. The search goes from low sample rates to high ones, because a step must stay below a period of the signal.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import signal
from scipy.fft import irfft, next_fast_len, rfft
from scipy.linalg import solve_toeplitz

from tapezoo.data.align.track_curve import coefficients_of, evaluate, information, solve, speed_prior
from tapezoo.devices.transport import read_delayed

Real = NDArray[np.float64]

POINTS_HZ = 200.0
DECIMATIONS = (16, 8, 4, 2, 1)
FILTER_S = 0.0116  # 512 taps at 44.1 kHz
ROOM_S = 0.00145  # of the filter before the delay: the curve may lie late, and a filter's own phase early
MAX_STEPS = 6
STEP_SAMPLES = 0.02  # smaller steps end the iteration at one sample rate
NOISE_WINDOW_S = 0.05
NOISE_FLOOR = 0.1  # of the mean noise: quiet passages have hiss too
# the residual is partly distortion, which repeats with the signal: only a fifth of it is taken as independent.
# On akai4000d the curve follows the distortion with 1 (0.7 samples rms from the pilot) but not with 5 (0.3)
DEPENDENCE = 5.0
MIN_SPEED, MAX_SPEED = 1e-6, 0.02


@dataclass
class Listener:
    """What has been learnt of one channel's device at one sample rate.

    Args:
        whitening: Zero-phase FIR that whitens the residual of wet; None before the first estimate.
        taps: The filter from dry to wet, beginning ROOM_S early.
    """

    whitening: Real | None = None
    taps: Real | None = None


@dataclass
class Device:
    """What was learnt from one section and holds for all.

    Args:
        speed: Relative deviation of the transport's speed.
        wanders: Whether there is a trajectory at all.
        listeners: By decimation, one per channel.
    """

    speed: float = 1e-3
    wanders: bool = False
    listeners: dict[int, list[Listener]] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """A stretch of a recording: wet, and dry around it.

    Args:
        dry: At the sample rate of the recording.
        wet: Likewise; its sample n answers dry's sample `n - curve(n)`.
        first: First sample of wet that dry can explain.
        last: The one after the last.
        rate_hz: Their sample rate.

    Shape:
        dry, wet: (channels, samples), of two lengths.
    """

    dry: Real
    wet: Real
    first: int
    last: int
    rate_hz: float

    @property
    def hop(self) -> float:
        """Samples from knot to knot."""
        return self.rate_hz / POINTS_HZ

    @property
    def points(self) -> int:
        """Number of coefficients."""
        return coefficients_of(self.wet.shape[1], self.hop)


def refine(section: Section, coefficients: Real, device: Device, learn: bool) -> tuple[Real, Real]:
    """Better coefficients, and the standard deviation of each, in samples.

    Args:
        section: The stretch to work on.
        coefficients: Of the curve so far, right to some ten samples.
        device: What is known of the device; filled in if `learn`.
        learn: Whether filters, whitening and speed are learnt here, else taken from `device` as they are, so that
            all sections have one filter and no section hides a constant in its own.
    """
    prior = speed_prior(section.points, section.hop, POINTS_HZ)
    deviation = np.full(section.points, np.inf)
    for decimation in DECIMATIONS:
        if section.rate_hz / decimation > 50_000 or (decimation > 1 and section.rate_hz / decimation < 2_000):
            continue
        dry, wet = (decimated(audio, decimation) for audio in (section.dry, section.wet))
        if learn:
            device.listeners[decimation] = [Listener() for _ in wet]
        for _ in range(MAX_STEPS):
            normal, right = np.zeros((4, section.points)), np.zeros(section.points)
            curve = evaluate(coefficients, wet.shape[1], section.hop / decimation)
            for own_dry, own_wet, listener in zip(dry, wet, device.listeners[decimation], strict=True):
                slope, residual, weight = listen(
                    section, decimation, own_dry, own_wet, curve, listener, learn
                )
                own = information(slope, residual, weight, section.hop / decimation, section.points)
                normal, right = normal + own[0], right + own[1]
            found = solve(normal, right, prior, device.speed, coefficients)
            if learn:
                device.speed = float(np.clip(found.speed, MIN_SPEED, MAX_SPEED))
            step = np.clip(found.change, -decimation, decimation)
            coefficients, deviation = coefficients + step, found.deviation
            sure = deviation < 0.5
            if not sure.any() or np.abs(step[sure]).max() < STEP_SAMPLES * decimation**0.5:
                break
    return coefficients, deviation


def listen(
    section: Section,
    decimation: int,
    dry: Real,
    wet: Real,
    curve: Real,
    listener: Listener,
    learn: bool,
) -> tuple[Real, Real, Real]:
    """Each whitened sample's change per sample of delay, its residual and its weight."""
    rate_hz = section.rate_hz / decimation
    room, taps = filter_lengths(rate_hz)
    # the filter's tap `room` is the delay's own moment: there the curve is to be read at its own time
    ahead = np.append(curve[room:], np.full(room, curve[-1]))[: len(curve)]
    early = read_delayed(dry, ahead / decimation - room)
    # the first samples lack the filter's past, the last ones the whitening's future
    first = -(-section.first // decimation) + taps
    last = section.last // decimation - 128
    heard = slice(first, max(first, last))
    weight = np.zeros(len(wet))
    if last - first < 4 * taps:
        return weight, weight, weight
    if listener.whitening is None:
        listener.whitening = whitening(wet[heard], 1e-4)
    elif learn and listener.taps is not None:
        left = wet - signal.oaconvolve(early, listener.taps)[: len(wet)]
        listener.whitening = whitening(left[heard], 1e-3)
    x, y = (signal.oaconvolve(audio, listener.whitening, "same") for audio in (early, wet))
    if learn or listener.taps is None:
        listener.taps = least_squares(x[first - taps : last], y[first - taps : last], taps)
    model = signal.oaconvolve(x, listener.taps)[: len(wet)]
    residual = y - model
    residual[: heard.start], residual[heard.stop :] = 0, 0
    width = max(9, round(NOISE_WINDOW_S * rate_hz))
    window = np.hanning(width)
    noise = signal.oaconvolve(residual**2, window / window.sum(), "same")
    noise = np.maximum(noise, NOISE_FLOOR * noise[heard].mean() + 1e-30)
    weight[heard] = 1 / (DEPENDENCE * noise[heard])
    slope = -np.gradient(model) / decimation
    return slope, residual, weight


def filter_lengths(rate_hz: float) -> tuple[int, int]:
    """Taps before the delay's own moment, and all taps."""
    return max(8, round(ROOM_S * rate_hz)), max(64, round(FILTER_S * rate_hz))


def decimated(audio: Real, decimation: int) -> Real:
    """Audio at a lower sample rate, without delay."""
    return audio if decimation == 1 else np.asarray(signal.resample_poly(audio, 1, decimation, axis=-1))


def whitening(left: Real, floor: float) -> Real:
    """Zero-phase FIR with the inverse of a signal's spectrum; bins below `floor` of its peak are not signal."""
    segment = min(1024, len(left))
    power = signal.welch(left, nperseg=segment)[1]
    power = signal.medfilt(power, 9)
    power += floor * power.max() + 1e-30
    half = 127
    gain = np.interp(np.linspace(0, 1, 2 * half + 1), np.linspace(0, 1, len(power)), power**-0.5)
    taps = np.roll(irfft(gain), half)[: 2 * half + 1] * np.hanning(2 * half + 3)[1:-1]
    return np.asarray(taps / np.sqrt(np.sum(taps**2)))


def least_squares(x: Real, y: Real, taps: int) -> Real:
    """The causal FIR from x to y by the autocorrelation method: the little that rings past the stretch is ignored."""
    fft_samples = next_fast_len(len(x) + taps, real=True)
    spectrum, other = rfft(x, fft_samples), rfft(y, fft_samples)
    normal = irfft(np.abs(spectrum) ** 2, fft_samples)[:taps]
    right = irfft(other * np.conj(spectrum), fft_samples)[:taps]
    normal[0] = normal[0] * (1 + 1e-9) + 1e-30
    return np.asarray(solve_toeplitz(normal, right))
