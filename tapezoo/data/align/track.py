"""The delay of a pair over time, from the music itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from tapezoo.data.align.track_check import error_left, has_many_bands, telling
from tapezoo.data.align.track_curve import evaluate, information, solve, speed_prior
from tapezoo.data.align.track_waveform import POINTS_HZ, Device, Section, refine
from tapezoo.data.align.track_windows import CLEAR, Path, likeliest_path
from tapezoo.data.align.trajectory import DelayTrajectory
from tapezoo.data.streams import release

Real = NDArray[np.float64]

SECTION_S = 15.0
OVERLAP_S = 1.0
# distance from the constant delay that the first and the second search cover, and the speed each expects
NEAR_S, NEAR_SPEED = 0.006, 0.007
FAR_S, FAR_SPEED = 0.18, 0.015
SURE_SHARE = 0.2  # of the windows with a clear lag; with fewer, the true path may lie outside the search
PATH_RATE_HZ = 22_050
ERROR_LEFT = 0.9  # a true trajectory leaves at most this share of the error
# a level-dependent phase is samples long in the bass; tones above keep the curve in step once music led it there
BASS_HZ = 500.0
SURE_SAMPLES = 0.5  # standard deviation at which a point's confidence is 0.5


def track_delay(
    dry: NDArray[np.floating[Any]],
    wet: NDArray[np.floating[Any]],
    sample_rate: int,
    around_samples: float | Sequence[float],
) -> DelayTrajectory | None:
    """The delay of wet against dry over time, 200 points per second; None where it is constant.

    It is right up to a constant, which the device's own phase hides. A trajectory is accepted if reading dry along it
    brings a linear filter nearer to wet in stretches that were not used to find it (`track_check`). Material of one
    tone at a time, such as a sweep, gives none: there a filter's phase looks the same.

    Args:
        dry: What went into the device.
        wet: What came out of it.
        sample_rate: Of both, in Hz.
        around_samples: The constant part of the delay; one per channel, where there are several. The trajectory is
            that of the first channel; the others differ from it by a constant.

    Shape:
        dry, wet: (samples,) or (channels, samples) with a shared clock, of any two lengths.
    """
    drys, wets = np.atleast_2d(dry), np.atleast_2d(wet)
    around = np.broadcast_to(np.asarray(around_samples, dtype=np.float64), len(wets))
    device = Device()
    starts = _section_starts(wets.shape[1], sample_rate)
    learning = max(starts, key=lambda start: _liveliness(drys[:, start[0] - int(around[0]) : start[1]]))
    if not any(
        has_many_bands(channel[max(0, learning[0] - int(around[0])) : learning[1]], sample_rate)
        for channel in drys
    ):
        return None
    curves = {learning: _track_section(drys, wets, sample_rate, around, learning, device, learn=True)}
    if not device.wanders:
        return None
    for stretch in starts:
        if stretch != learning:
            curves[stretch] = _track_section(drys, wets, sample_rate, around, stretch, device, learn=False)
    return _joined(curves, sample_rate)


def _section_starts(samples: int, sample_rate: int) -> list[tuple[int, int]]:
    step, overlap = round(SECTION_S * sample_rate), round(OVERLAP_S * sample_rate)
    # no short remainder: the last section includes it
    starts = list(range(0, max(1, samples - step // 2), step))
    return [
        (max(0, start - overlap), samples if start == starts[-1] else start + step + overlap)
        for start in starts
    ]


def _liveliness(dry: NDArray[Any]) -> float:
    """How well a section shows the delay: its energy at high frequencies, not in its loudest moment alone."""
    value = float(np.sqrt(np.abs(np.diff(dry.astype(np.float64)))).sum())
    release(dry)
    return value


def _track_section(
    dry: NDArray[Any],
    wet: NDArray[Any],
    sample_rate: int,
    around: Real,
    stretch: tuple[int, int],
    device: Device,
    learn: bool,
) -> tuple[Real, Real]:
    """The delay at 200 points per second from the section's start on, and each one's standard deviation."""
    start, stop = stretch
    margin = round((FAR_S + 0.05) * sample_rate)
    shift = np.round(around).astype(int) + margin  # sample i of the section's dry is sample start - shift + i
    own_wet = np.asarray(wet[:, start:stop], dtype=np.float64)
    own_dry = np.stack(
        [
            _cut(channel, start - int(own), stop - int(own) + 2 * margin)
            for channel, own in zip(dry, shift, strict=True)
        ]
    )
    release(wet)
    release(dry)
    delay_in_section = around[0] - float(shift[0])
    section = Section(own_dry, own_wet, 0, own_wet.shape[1], float(sample_rate))
    coefficients = _first_curve(_telling(section, margin, np.inf), delay_in_section, device, learn)
    section = _telling(section, margin, BASS_HZ)
    curve = evaluate(coefficients, own_wet.shape[1], section.hop)
    # where dry has audio in every channel
    position = start + np.arange(own_wet.shape[1]) - curve - shift[:, None]
    inside = np.flatnonzero(((position >= 0) & (position < dry.shape[1])).all(axis=0))
    if inside.size:
        section = Section(section.dry, section.wet, int(inside[0]), int(inside[-1]) + 1, float(sample_rate))
        coefficients, deviation = refine(section, coefficients, device, learn)
        if learn:
            device.wanders = error_left(section, coefficients, device) < ERROR_LEFT
    else:
        deviation = np.full(section.points, np.inf)
    points = np.arange(0, own_wet.shape[1] / section.hop)
    at_points = (coefficients[:-2] + 4 * coefficients[1:-1] + coefficients[2:]) / 6
    return at_points[: len(points)] + shift[0], deviation[1:-1][: len(points)]


def _telling(section: Section, margin: int, up_to_hz: float) -> Section:
    """Silence in place of one or two tones up to a frequency."""
    gates = [telling(own, round(section.rate_hz), up_to_hz) for own in section.dry]
    dry = np.stack([own * gate for own, gate in zip(section.dry, gates, strict=True)])
    wet = np.stack(
        [own * gate[margin : margin + len(own)] for own, gate in zip(section.wet, gates, strict=True)]
    )
    return replace(section, dry=dry, wet=wet)


def _cut(signal: NDArray[Any], start: int, stop: int) -> Real:
    inside = np.asarray(signal[max(0, start) : max(0, stop)], dtype=np.float64)
    before = min(max(0, -start), stop - start)
    return np.pad(inside, (before, stop - start - before - len(inside)))


def _first_curve(section: Section, delay: float, device: Device, learn: bool) -> Real:
    """A smooth curve through the likeliest path of the windows' lags."""
    decimation = max(1, round(section.rate_hz / PATH_RATE_HZ))
    rate_hz = section.rate_hz / decimation
    dry, wet = (signal.resample_poly(audio, 1, decimation, axis=-1) for audio in (section.dry, section.wet))
    paths = []
    for reach_s, speed in ((NEAR_S, NEAR_SPEED), (FAR_S, FAR_SPEED)):
        reach = round(reach_s * rate_hz)
        paths.append(likeliest_path(dry, wet, rate_hz, round(delay / decimation), reach, speed))
        if paths[0].clear_share >= SURE_SHARE:
            break
    # the wider search has more lags to choose from, so noise alone makes it look a little clearer
    path = paths[-1] if paths[-1].clear_share > paths[0].clear_share + 0.05 else paths[0]
    return _smoothed(path, decimation, section, delay, device)


def _smoothed(path: Path, decimation: int, section: Section, delay: float, device: Device) -> Real:
    prior = speed_prior(section.points, section.hop, POINTS_HZ)
    samples = section.wet.shape[1]
    clear = path.heights >= CLEAR
    coefficients = np.full(section.points, delay)
    if clear.any():
        knots = (np.arange(section.points) - 1) * section.hop
        coefficients = np.interp(knots, path.centres[clear] * decimation, path.lags[clear] * decimation)
    at = np.clip(path.centres * decimation, 0, samples - 1).astype(int)
    for _ in range(8):
        curve = evaluate(coefficients, samples, section.hop)
        left = path.lags * decimation - curve[at]
        # Student's t weights: a lag far from the others is an outlier
        trust = clear / (1 + (left / (2 * decimation)) ** 2)
        weight, residual = np.zeros(samples), np.zeros(samples)
        weight[at], residual[at] = trust / (0.5 * decimation) ** 2, left
        normal, right = information(np.ones(samples), residual, weight, section.hop, section.points)
        found = solve(normal, right, prior, device.speed, coefficients)
        coefficients = coefficients + found.change
        device.speed = float(np.clip(found.speed, 1e-3, 0.02))
    return coefficients


def _joined(curves: dict[tuple[int, int], tuple[Real, Real]], sample_rate: int) -> DelayTrajectory:
    """One trajectory: each section up to the middle of its overlap with the next one."""
    stretches = sorted(curves)
    kept: list[Real] = []
    for number, (start, stop) in enumerate(stretches):
        delay, deviation = curves[start, stop]
        times = start / sample_rate + np.arange(len(delay)) / POINTS_HZ
        low = -np.inf if number == 0 else (start + stretches[number - 1][1]) / 2 / sample_rate
        last = number == len(stretches) - 1
        high = np.inf if last else (stretches[number + 1][0] + stop) / 2 / sample_rate
        kept.append(np.stack([times, delay, deviation])[:, (times >= low) & (times < high)])
    times, delay, deviation = np.concatenate(kept, axis=1)
    return DelayTrajectory(times, delay, 1 / (1 + (deviation / SURE_SAMPLES) ** 2), sample_rate)
