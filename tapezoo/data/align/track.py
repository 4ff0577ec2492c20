"""The delay of a pair over time, from the music itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from tapezoo.data.align.track_curve import evaluate, information, solve, speed_prior
from tapezoo.data.align.track_waveform import POINTS_HZ, Device, Section, refine
from tapezoo.data.align.track_windows import CLEAR, Path, likeliest_path
from tapezoo.data.align.trajectory import DelayTrajectory
from tapezoo.data.streams import release

Real = NDArray[np.float64]

SECTION_S = 15.0
OVERLAP_S = 1.0
NEAR_S, FAR_S = 0.006, 0.18  # how far from the constant delay the first search looks, and the second one
SURE_SHARE = 0.3  # of the windows with a clear lag; below, the path may lie elsewhere
PATH_RATE_HZ = 11_025
SURE_SAMPLES = 0.5  # a standard deviation with which a point has confidence one half


def track_delay(
    dry: NDArray[np.floating[Any]],
    wet: NDArray[np.floating[Any]],
    sample_rate: int,
    around_samples: float | Sequence[float],
) -> DelayTrajectory:
    """The delay of wet against dry over time, 200 points per second, up to a constant that the device's phase hides.

    Args:
        dry: What went into the device.
        wet: What came out of it.
        sample_rate: Of both, in Hz.
        around_samples: The constant part of the delay; of each channel, where there are several. The trajectory is
            that of the first channel, the others' differ from it by a constant.

    Shape:
        dry, wet: (samples,) or (channels, samples) with a shared clock, of any two lengths.
    """
    drys, wets = np.atleast_2d(dry), np.atleast_2d(wet)
    around = np.broadcast_to(np.asarray(around_samples, dtype=np.float64), len(wets))
    device = Device()
    starts = _section_starts(wets.shape[1], sample_rate)
    learning = max(starts, key=lambda start: _liveliness(drys[:, start[0] - int(around[0]) : start[1]]))
    curves, deviations = {}, {}
    for start, stop in [learning, *(pair for pair in starts if pair != learning)]:
        curves[start], deviations[start] = _track_section(
            drys, wets, sample_rate, around, (start, stop), device, learn=(start, stop) == learning
        )
    return _joined(starts, curves, deviations, sample_rate)


def _section_starts(samples: int, sample_rate: int) -> list[tuple[int, int]]:
    step, overlap = round(SECTION_S * sample_rate), round(OVERLAP_S * sample_rate)
    # no short rest: the last section takes it along
    starts = list(range(0, max(1, samples - step // 2), step))
    return [
        (max(0, start - overlap), samples if start == starts[-1] else start + step + overlap)
        for start in starts
    ]


def _liveliness(dry: NDArray[Any]) -> float:
    """How much a section tells of the delay: the high frequencies, not of its loudest moment alone."""
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
    coefficients = _first_curve(section, delay_in_section, device, learn)
    curve = evaluate(coefficients, own_wet.shape[1], section.hop)
    # where every channel's dry has begun and is not over
    position = start + np.arange(own_wet.shape[1]) - curve - shift[:, None]
    inside = np.flatnonzero(((position >= 0) & (position < dry.shape[1])).all(axis=0))
    if inside.size:
        section = Section(own_dry, own_wet, int(inside[0]), int(inside[-1]) + 1, float(sample_rate))
        coefficients, deviation = refine(section, coefficients, device, learn)
    else:
        deviation = np.full(section.points, np.inf)
    points = np.arange(0, own_wet.shape[1] / section.hop)
    at_points = (coefficients[:-2] + 4 * coefficients[1:-1] + coefficients[2:]) / 6
    return at_points[: len(points)] + shift[0], deviation[1:-1][: len(points)]


def _cut(signal: NDArray[Any], start: int, stop: int) -> Real:
    inside = np.asarray(signal[max(0, start) : max(0, stop)], dtype=np.float64)
    before = min(max(0, -start), stop - start)
    return np.pad(inside, (before, stop - start - before - len(inside)))


def _first_curve(section: Section, delay: float, device: Device, learn: bool) -> Real:
    """A smooth curve through the likeliest path of the windows' lags."""
    decimation = max(1, round(section.rate_hz / PATH_RATE_HZ))
    rate_hz = section.rate_hz / decimation
    dry, wet = (signal.resample_poly(audio, 1, decimation, axis=-1) for audio in (section.dry, section.wet))
    for reach_s in (NEAR_S, FAR_S):
        path = likeliest_path(dry, wet, rate_hz, round(delay / decimation), round(reach_s * rate_hz))
        if path.clear_share >= SURE_SHARE:
            break
    return _smoothed(path, decimation, section, delay, device)


def _smoothed(path: Path, decimation: int, section: Section, delay: float, device: Device) -> Real:
    coefficients = np.full(section.points, delay)
    prior = speed_prior(section.points, section.hop, POINTS_HZ)
    samples = section.wet.shape[1]
    at = np.clip(path.centres * decimation, 0, samples - 1).astype(int)
    for _ in range(8):
        curve = evaluate(coefficients, samples, section.hop)
        left = path.lags * decimation - curve[at]
        # Student's t: a lag far off the others is an accident
        trust = (path.heights >= CLEAR) / (1 + (left / (2 * decimation)) ** 2)
        weight, residual = np.zeros(samples), np.zeros(samples)
        weight[at], residual[at] = trust / (0.5 * decimation) ** 2, left
        normal, right = information(np.ones(samples), residual, weight, section.hop, section.points)
        found = solve(normal, right, prior, device.speed, coefficients)
        coefficients = coefficients + found.change
        device.speed = float(np.clip(found.speed, 1e-3, 0.02))
    return coefficients


def _joined(
    starts: list[tuple[int, int]], curves: dict[int, Real], deviations: dict[int, Real], sample_rate: int
) -> DelayTrajectory:
    """One trajectory: each section up to the middle of its overlap with the next one."""
    times, delays, spreads = [], [], []
    for number, (start, stop) in enumerate(starts):
        own = start / sample_rate + np.arange(len(curves[start])) / POINTS_HZ
        low = -np.inf if number == 0 else (start + starts[number - 1][1]) / 2 / sample_rate
        high = np.inf if number == len(starts) - 1 else (starts[number + 1][0] + stop) / 2 / sample_rate
        kept = (own >= low) & (own < high)
        times.append(own[kept])
        delays.append(curves[start][kept])
        spreads.append(deviations[start][kept])
    deviation = np.concatenate(spreads)
    confidence = 1 / (1 + (deviation / SURE_SAMPLES) ** 2)
    return DelayTrajectory(np.concatenate(times), np.concatenate(delays), confidence, sample_rate)
