"""Lost and repeated samples: where the delay steps from one moment to the next.

Windows propose: two neighbours whose delays differ by more than a transport can move. The waveform decides: dry,
filtered as the device filters it, is laid over wet at the delay before and at the one after. Up to the step the first
fits, from there on the second; the step lies where the sum of the differences turns, the likelihood-ratio estimate
of a change point (Hinkley, "Inference about the change-point in a sequence of random variables", Biometrika 57, 1970).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from tapezoo.data.align.correlation import Real, Signal, cut
from tapezoo.data.align.local import LocalDelays
from tapezoo.devices.transport import read_delayed

BLOCK_S = 0.002
TAPS = 64
SIDE_S = 0.35  # how much of the waveform is examined on each side of a step
EVIDENCE = 25.0  # log-likelihood on each side, of blocks that count as one observation each
MOVED_S = 0.00034  # 15 samples at 44.1 kHz: between two windows no transport moves so far
SMALL_SAMPLES = 0.75
SPREADS = 6.0
WHOLE = 0.3
STILL_SAMPLES = 0.5
STEADY_WINDOWS = 4  # on each side of a small step
REST_WINDOWS = 2.0  # a longer gap between two windows is a rest in the music
SPEED_DEVIATION = 0.002  # relative speed deviation that a transport may have: the peak of 0.1 % rms wow


@dataclass(frozen=True)
class Step:
    """A change of the delay from one sample to the next.

    Args:
        at_samples: Position in wet.
        window_samples: Uncertainty of the position: the step lies within half of this on either side.
        samples: Change of the delay.
    """

    at_samples: float
    window_samples: float
    samples: float


def find_steps(dry: Signal, wet: Signal, sample_rate: int, local: LocalDelays, slope: float) -> list[Step]:
    """All steps that the windows propose and the waveform confirms, in order.

    Args:
        dry: (samples,).
        wet: (samples,).
        sample_rate: In Hz.
        local: The delays of the windows.
        slope: Growth of the delay per sample of wet that two clocks cause.
    """
    delays = local.delay_samples - slope * local.at_samples
    if len(delays) < 3:
        return []
    jitter = 1.4826 * float(np.median(np.abs(np.diff(delays)))) / np.sqrt(2)
    large = max(MOVED_S * sample_rate, 8 * jitter)
    steps: list[Step] = []
    for i in range(len(delays) - 1):
        change = delays[i + 1] - delays[i]
        if abs(change) <= max(SMALL_SAMPLES, SPREADS * jitter):
            continue
        if abs(change) <= large and not _lasts(delays, i):
            continue
        gap = float(local.at_samples[i + 1] - local.at_samples[i])
        if gap > REST_WINDOWS * local.window_samples and abs(change) <= SPEED_DEVIATION * gap:
            continue  # in a rest it does not matter when the delay changed
        step = _confirm(dry, wet, sample_rate, local, i, large)
        if step is not None:
            steps.append(step)
    return _merged(steps, local.window_samples)


def _lasts(delays: Real, i: int) -> bool:
    # a level-dependent phase moves back and forth; lost samples stay lost
    before, after = delays[max(0, i - 7) : i + 1], delays[i + 1 : i + 9]
    if min(len(before), len(after)) < STEADY_WINDOWS:
        return False
    apart = abs(float(np.median(after) - np.median(before)))
    play = max(float(np.ptp(before)), float(np.ptp(after)))
    return apart > max(SMALL_SAMPLES, 4 * play)


def _confirm(
    dry: Signal, wet: Signal, sample_rate: int, local: LocalDelays, i: int, large: float
) -> Step | None:
    between = float(local.at_samples[i]), float(local.at_samples[i + 1])
    start = max(0, round(between[0] - local.window_samples / 2 - SIDE_S / 2 * sample_rate))
    stop = min(len(wet), round(between[1] + local.window_samples / 2 + SIDE_S / 2 * sample_rate))
    block = max(8, round(BLOCK_S * sample_rate))
    stop = start + (stop - start) // block * block
    if stop - start < 8 * block:
        return None
    times = np.arange(start - TAPS // 2 - 1, stop + TAPS // 2)
    before = _extended(times, local.at_samples[i::-1], local.delay_samples[i::-1], large)
    after = _extended(times, local.at_samples[i + 1 :], local.delay_samples[i + 1 :], large)
    target = cut(wet, start, stop)
    target = np.diff(target, prepend=target[:1])  # high frequencies locate a step in time more sharply
    columns = [np.diff(_read(dry, times[0], delay)) for delay in (before, after)]
    first, second = _errors(columns, target, block, between, start)
    energy = np.square(target).reshape(-1, block).sum(axis=1)
    floor = 1e-6 * float(energy.max()) + 1e-20
    likelier = 0.5 * np.log((second + floor) / (first + floor))  # above 0: the delay before fits better
    if not np.isfinite(likelier).all():
        return None
    sums = np.concatenate([[0.0], np.cumsum(likelier)])
    turn = int(np.argmax(sums))
    left = float(sums[turn] - sums[: turn + 1].min())
    right = float(sums[turn] - sums[turn:].min())
    count = len(likelier)
    if min(left, right) < min(EVIDENCE, 0.25 * count):
        return None
    sure = np.flatnonzero(sums > sums[turn] - 4.0)
    sure = sure[(sure >= turn - 25) & (sure <= turn + 25)]
    low, high = start + int(sure[0]) * block, start + int(sure[-1]) * block
    middle = round((low + high) / 2) - int(times[0])
    samples = float(after[middle] - before[middle])
    if abs(samples - round(samples)) < WHOLE:
        samples = float(round(samples))  # recorders lose whole samples
    return Step((low + high) / 2, high - low + 2 * block + 2 * abs(samples) * (samples < 0), samples)


def _extended(times: NDArray[np.int64], at: Real, delays: Real, large: float) -> Real:
    """The delay on one side of a step, extrapolated beyond it from the nearest windows."""
    known = 1 + int(np.argmax(np.append(np.abs(np.diff(delays)) > large, True)))
    at, delays = at[:known], delays[:known]
    if np.ptp(delays[:3]) < STILL_SAMPLES:
        return np.full(len(times), float(round(delays[0])))
    nearest = slice(0, 2)
    slope = float(np.diff(delays[nearest])[0] / np.diff(at[nearest])[0])
    order = np.argsort(at)
    curve = np.interp(times, at[order], delays[order])
    beyond = times > at[0] if at[-1] < at[0] else times < at[0]
    return np.asarray(np.where(beyond, delays[0] + slope * (times - at[0]), curve))


def _read(dry: Signal, start: int, delay: Real) -> Real:
    """Dry at `start + i - delay[i]`."""
    if not np.ptp(delay):
        first = start - int(delay[0])
        return cut(dry, first, first + len(delay))
    base = start - int(np.ceil(delay.max())) - 64
    past = cut(dry, base, start + len(delay) - int(np.floor(delay.min())) + 64)
    moved = np.pad(delay - (start - base), (0, len(past) - len(delay)), mode="edge")
    return np.asarray(read_delayed(past, moved)[: len(delay)])


def _errors(
    columns: list[Real],
    target: Real,
    block: int,
    between: tuple[float, float],
    start: int,
) -> tuple[Real, Real]:
    """Error energy of the device's filter in each block, at either delay."""
    edges = (
        slice(0, max(4 * block, round(between[0] - start))),
        slice(min(len(target) - 4 * block, max(0, round(between[1] - start))), len(target)),
    )
    views = [np.lib.stride_tricks.sliding_window_view(past, TAPS)[: len(target)] for past in columns]
    normal, projection = np.zeros((TAPS, TAPS)), np.zeros(TAPS)
    for view, edge in zip(views, edges, strict=True):
        normal += view[edge].T @ view[edge]
        projection += view[edge].T @ target[edge]
    normal[np.diag_indices(TAPS)] += 1e-4 * float(np.trace(normal)) / TAPS + 1e-20
    taps = scipy.linalg.solve(normal, projection, assume_a="pos")
    first, second = (np.square(target - view @ taps).reshape(-1, block).sum(axis=1) for view in views)
    return first, second


def _merged(steps: list[Step], window_samples: int) -> list[Step]:
    # two pairs of windows may propose the same step
    merged: list[Step] = []
    for step in steps:
        if merged and step.at_samples - merged[-1].at_samples < window_samples / 8:
            last = merged.pop()
            merged.append(
                Step(
                    last.at_samples,
                    max(last.window_samples, step.window_samples),
                    last.samples + step.samples,
                )
            )
        else:
            merged.append(step)
    return [step for step in merged if abs(step.samples) >= 0.5]


def united(steps: list[Step]) -> list[Step]:
    """Steps of successive searches, each relative to the earlier ones; steps at the same place are added up."""
    found: list[Step] = []
    for step in sorted(steps, key=lambda one: one.at_samples):
        last = found[-1] if found else None
        if last and step.at_samples - last.at_samples <= (step.window_samples + last.window_samples) / 2:
            found[-1] = step if step.window_samples < last.window_samples else last
            found[-1] = replace(found[-1], samples=step.samples + last.samples)
        else:
            found.append(step)
    return [step for step in found if abs(step.samples) >= 0.5]


def pieces(steps: list[Step], samples: int) -> list[tuple[int, int]]:
    """The stretches between the steps, as (start, stop) in samples."""
    edges = [0, *(round(step.at_samples) for step in steps), samples]
    return list(itertools.pairwise(edges))
