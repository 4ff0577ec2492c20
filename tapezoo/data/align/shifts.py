"""Lost and repeated samples that windows are too coarse for: moments after which another lag explains wet.

Dry through the device's filter is compared with wet, block by block, at every lag that lost samples may have left.
Viterbi's algorithm (Forney, "The Viterbi algorithm", Proc. IEEE 61, 1973) finds the likeliest course of the lag,
constant but for a few steps. A step costs so much that chance in one or two blocks cannot pay for it. So a step is
found wherever enough music lies on either side, also at the very ends of a recording.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.linalg import solve_toeplitz
from scipy.ndimage import maximum_filter1d
from scipy.signal import oaconvolve

from tapezoo.data.align.correlation import Real, Signal, cut
from tapezoo.data.align.jumps import BLOCK_S, Step
from tapezoo.data.align.track_check import bands_at_once, telling
from tapezoo.data.align.track_waveform import filter_lengths, whitening
from tapezoo.data.align.trajectory import DelayTrajectory
from tapezoo.data.align.warp import warp_block
from tapezoo.data.streams import release

SCAN_S = 0.04
LEAST_BLOCK_S = 0.006  # at the very end
CHUNK_S = 20.0
LEAST_HEARD_S = 2.0  # shortest stretch whose content can be judged
LEAST_BANDS = 6.0  # with single tones (5.5 bands) a distortion fits any lag; the narrowest music has 6.7
REACH_SAMPLES = 1100  # recorders lose a buffer or less
LEAST_STEP_SAMPLES = 10
PLAY_SAMPLES = 3  # a level-dependent phase moves a lag by this much
STEP_COST = 30.0  # in log-likelihood
MOST_EVIDENCE = 60.0  # from one block
GAIN = 4.0  # a device's gain may rise by this factor over level and time, and fall by any: a dropout is not a step
USUAL = 0.02  # of a block's energy: the part that no model explains
SIDE_BLOCKS = 12  # around a step, examined to locate it
SECTIONS = 6
SECTION_S = 3.0
LEAST_SECTION_S = 0.3
EXPLAINED = 0.35  # of all blocks: a step may leave less than half for the filter of one side
ALIKE = 4.0  # a section is alike if at most this many times the best section's error is left
RIDGE = 1e-6
QUIET = 1e-7  # of the loudest section's energy: differences below do not matter
LEFT_FLOOR = 1e-3  # floor of the residual's spectrum
HALO = 128  # samples that the whitening filter reaches on either side


@dataclass(frozen=True)
class Model:
    """Predicts wet from dry, both whitened.

    Args:
        white: Whitening FIR, zero phase.
        taps: FIR from dry to wet; tap `room` is at the delay itself.
        room: Number of taps before that one.
        floor: Lowest error energy per sample.
    """

    white: Real
    taps: Real
    room: int
    floor: float


def find_shifts(dry: Signal, wet: Signal, curve: DelayTrajectory) -> list[Step]:
    """Steps of the delay that `curve` lacks, in order.

    Args:
        dry: (samples,).
        wet: (samples,), of any length.
        curve: The delay as far as it is known.
    """
    first, last = _shared(dry, wet, curve)
    if not tells_steps(dry, curve.sample_rate):
        return []
    model = _learn(dry, wet, curve, first, last)
    if model is None:
        return []
    spans, lags = _course(_scan(dry, wet, curve, model, first, last))
    steps = []
    changes = np.flatnonzero(np.abs(np.diff(lags)) >= LEAST_STEP_SAMPLES).tolist()
    for change in changes:
        before, after = (int(lags[change]), int(lags[change + 1]))
        # up to the steps on either side
        low = max([0] + [other + 1 for other in changes if other < change])
        high = min([len(spans)] + [other + 1 for other in changes if other > change])
        near = spans[max(low, change - SIDE_BLOCKS) : min(high, change + 1 + SIDE_BLOCKS)]
        steps.append(_located(dry, wet, curve, model, near, spans[change][1], (before, after)))
    return steps


def tells_steps(dry: Signal, sample_rate: int) -> bool:
    """Whether lost samples could be detected anywhere; sweeps and single tones sound too few frequencies at once.

    Shape:
        dry: (samples,).
    """
    chunk = round(CHUNK_S * sample_rate)
    return any(_tells(dry, start, start + chunk, sample_rate) for start in range(0, len(dry), chunk))


def _tells(dry: Signal, start: int, stop: int, sample_rate: int) -> bool:
    """Whether lost samples could be detected in this stretch; a short one is judged with the audio before it."""
    stop = max(0, min(stop, len(dry)))
    start = max(0, min(start, stop - round(LEAST_HEARD_S * sample_rate)))
    return bands_at_once(cut(dry, start, stop), sample_rate) >= LEAST_BANDS


def _shared(dry: Signal, wet: Signal, curve: DelayTrajectory) -> tuple[int, int]:
    """First and last sample of wet that dry can explain, whatever the steps."""
    low = max(0, int(np.floor(curve.delay_samples.min())) - REACH_SAMPLES)
    return low, max(low, min(len(wet), len(dry) + int(np.ceil(curve.delay_samples.max())) + REACH_SAMPLES))


def _read(dry: Signal, curve: DelayTrajectory, room: int, start: int, stop: int) -> Real:
    """Dry along the delay, `room` samples early."""
    return warp_block(dry, curve.shifted(-float(room)), start, stop)


def _learn(dry: Signal, wet: Signal, curve: DelayTrajectory, first: int, last: int) -> Model | None:
    """The filter of the section that explains most other sections, fitted again to all sections that it explains."""
    rate_hz = curve.sample_rate
    room, taps = filter_lengths(rate_hz)
    length = round(float(np.clip((last - first) / SECTIONS / rate_hz, LEAST_SECTION_S, SECTION_S)) * rate_hz)
    length = min(length, last - first)
    if length < 4 * taps:
        return None
    starts = np.unique(np.linspace(first, last - length, SECTIONS).astype(int))
    around = taps + HALO
    pasts = [_read(dry, curve, room, start - around, start + length + HALO) for start in starts]
    targets = [cut(wet, start - around, start + length + HALO) for start in starts]
    release(dry)
    release(wet)
    told = [bool(target[around:-HALO].any()) for target in targets]
    if not any(told):
        return None
    pasts, targets = (
        [own for own, is_told in zip(side, told, strict=True) if is_told] for side in (pasts, targets)
    )
    xs, ys = _whitened(pasts, targets, whitening(np.concatenate(targets), 1e-4), taps)
    good = _explained(xs, ys, taps, round(SCAN_S * rate_hz))
    chosen = [pair for pair, is_good in zip(zip(pasts, targets, strict=True), good, strict=True) if is_good]
    rough = _fitted([xs[i] for i in np.flatnonzero(good)], [ys[i] for i in np.flatnonzero(good)], taps)
    # the residual shows how much each frequency can be trusted
    left = [(target - oaconvolve(past, rough)[: len(target)])[taps:] for past, target in chosen]
    white = whitening(np.concatenate(left), LEFT_FLOOR)
    xs, ys = _whitened([past for past, _ in chosen], [target for _, target in chosen], white, taps)
    energy = max(float(np.square(y).mean()) for y in ys)
    return Model(white, _fitted(xs, ys, taps), room, QUIET * energy + 1e-30)


def _whitened(
    pasts: list[Real], targets: list[Real], white: Real, taps: int
) -> tuple[list[Real], list[Real]]:
    return (
        [oaconvolve(own, white, "same")[HALO:-HALO] for own in pasts],
        [oaconvolve(own, white, "same")[HALO + taps : -HALO] for own in targets],
    )


def _explained(xs: list[Real], ys: list[Real], taps: int, block: int) -> NDArray[np.bool_]:
    """Which sections are explained by the one section's filter that explains most."""
    shares = []
    for own_x, own_y in zip(xs, ys, strict=True):
        filter = _fitted([own_x], [own_y], taps)
        shares.append([_shares(x, y, filter, block) for x, y in zip(xs, ys, strict=True)])
    levels = [float(np.quantile(np.concatenate(own), EXPLAINED)) for own in shares]
    best = int(np.argmin(levels))
    good = np.array([float(np.median(own)) < ALIKE * levels[best] for own in shares[best]])
    good[best] = True
    return good


def _fitted(xs: list[Real], ys: list[Real], taps: int) -> Real:
    """The causal FIR of all sections, equally weighted."""
    normal, right = np.zeros(taps), np.zeros(taps)
    for past, target in zip(xs, ys, strict=True):
        own = _normal(past, target, taps)
        normal, right = normal + own[0], right + own[1]
    normal[0] = normal[0] * (1 + RIDGE) + 1e-30
    return np.asarray(solve_toeplitz(normal, right))


def _normal(past: Real, target: Real, taps: int) -> tuple[Real, Real]:
    """Autocorrelation of dry and its cross-correlation with wet, both divided by wet's energy."""
    fft_samples = next_fast_len(len(past) + taps, real=True)
    spectrum = rfft(past, fft_samples)
    other = rfft(np.concatenate([np.zeros(len(past) - len(target)), target]), fft_samples)
    scale = float(np.square(target).sum()) + 1e-30
    return (
        irfft(np.abs(spectrum) ** 2, fft_samples)[:taps] / scale,
        irfft(other * np.conj(spectrum), fft_samples)[:taps] / scale,
    )


def _shares(past: Real, target: Real, filter: Real, block: int) -> Real:
    """Share of each block's energy that the filter does not explain."""
    model = oaconvolve(past, filter)[len(past) - len(target) : len(past)]
    left, energy = (
        np.square(own[: len(own) // block * block]).reshape(-1, block).sum(axis=1)
        for own in (target - model, target)
    )
    return np.asarray((left + 1e-30) / (energy + 1e-30))


def _scan(
    dry: Signal, wet: Signal, curve: DelayTrajectory, model: Model, first: int, last: int
) -> Iterator[tuple[int, int, Real]]:
    """(start, stop, log-likelihoods of all lags) of each block."""
    rate_hz = curve.sample_rate
    block = round(SCAN_S * rate_hz)
    per_chunk = round(CHUNK_S * rate_hz) // block
    for start in range(first, last, block * per_chunk):
        stop = min(last, start + block * per_chunk)
        late = round(float(curve.at(start, start + 1)[0]))
        says = float(_tells(dry, start - late, stop - late, rate_hz))  # 0: every lag is as likely
        gate = says * telling(cut(dry, start - late, stop - late).astype(np.float64), rate_hz)
        answer, heard = _answer(dry, wet, curve, model, start, stop)
        release(dry)
        release(wet)
        whole = (stop - start) // block
        if whole:
            told = gate[: whole * block].reshape(whole, block).min(axis=1, keepdims=True)
            yield from zip(
                range(start, start + whole * block, block),
                range(start + block, start + (whole + 1) * block, block),
                told * _likelihoods(answer, heard, block, whole, model, rate_hz),
                strict=True,
            )
        rest = stop - start - whole * block
        if rest >= LEAST_BLOCK_S * rate_hz:
            begin = whole * block
            likelihood = _likelihoods(answer[begin:], heard[begin:], rest, 1, model, rate_hz)[0]
            yield start + begin, stop, gate[begin:].min() * likelihood


def _answer(
    dry: Signal, wet: Signal, curve: DelayTrajectory, model: Model, start: int, stop: int
) -> tuple[Real, Real]:
    """The model's output from dry, REACH_SAMPLES longer at both ends, and wet; both whitened."""
    taps = len(model.taps)
    before = REACH_SAMPLES + taps + HALO
    played = oaconvolve(
        _read(dry, curve, model.room, start - before, stop + REACH_SAMPLES + HALO), model.white, "same"
    )
    answer = oaconvolve(played, model.taps)[taps + HALO : taps + HALO + stop - start + 2 * REACH_SAMPLES]
    heard = oaconvolve(cut(wet, start - HALO, stop + HALO), model.white, "same")[HALO : HALO + stop - start]
    return np.asarray(answer), np.asarray(heard)


def _likelihoods(answer: Real, heard: Real, block: int, count: int, model: Model, rate_hz: float) -> Real:
    """Log-likelihoods of `count` blocks at all lags, the earliest first; each block's highest is 0."""
    wide, lags = block + 2 * REACH_SAMPLES, 2 * REACH_SAMPLES + 1
    fft_samples = next_fast_len(wide, real=True)
    around = np.lib.stride_tricks.sliding_window_view(answer, wide)[: count * block : block]
    own = heard[: count * block].reshape(count, block)
    cross = irfft(
        rfft(around, fft_samples, axis=1) * np.conj(rfft(own, fft_samples, axis=1)), fft_samples, axis=1
    )[:, :lags]
    total = np.concatenate([[0.0], np.cumsum(answer**2)])
    at = np.arange(count)[:, None] * block + np.arange(lags)
    energy = np.maximum(total[at + block] - total[at], 1e-30)
    gain = np.clip(cross / energy, 0.0, GAIN)
    own_energy = np.square(own).sum(axis=1, keepdims=True)
    left = np.maximum(own_energy - gain * (2 * cross - gain * energy), 0)
    left += USUAL * own_energy + block * model.floor
    value = -0.5 * block / (BLOCK_S * rate_hz) * np.log(left)
    return np.asarray(np.maximum(value - value.max(axis=1, keepdims=True), -MOST_EVIDENCE)[:, ::-1])


def _course(blocks: Iterator[tuple[int, int, Real]]) -> tuple[list[tuple[int, int]], NDArray[np.int64]]:
    """The likeliest lag of each block."""
    spans, came, highest = [], [], []
    score = np.zeros(2 * REACH_SAMPLES + 1)
    for start, stop, likelihood in blocks:
        best = int(np.argmax(score))
        step = score < score[best] - STEP_COST
        came.append(np.packbits(step))
        highest.append(best)
        spans.append((start, stop))
        score = np.maximum(score, score[best] - STEP_COST) + maximum_filter1d(
            likelihood, 2 * PLAY_SAMPLES + 1
        )
        score -= score.max()
    lags = np.zeros(len(spans), dtype=np.int64)
    if not spans:
        return spans, lags
    # among equal ones, the smallest shift
    best = int(min(np.flatnonzero(score == 0), key=lambda one: abs(one - REACH_SAMPLES)))
    for row in range(len(spans) - 1, -1, -1):
        lags[row] = best
        if came[row][best >> 3] >> (7 - (best & 7)) & 1:
            best = highest[row]
    return spans, lags - REACH_SAMPLES


def _located(
    dry: Signal,
    wet: Signal,
    curve: DelayTrajectory,
    model: Model,
    spans: list[tuple[int, int]],
    edge: int,
    lags: tuple[int, int],
) -> Step:
    """Where between two blocks the lag changes, and by exactly how much."""
    start, stop = spans[0][0], spans[-1][1]
    answer, heard = _answer(dry, wet, curve, model, start, stop)
    exact = []
    for lag, side in zip(lags, (slice(0, edge - start), slice(edge - start, None)), strict=True):
        own = heard[side]
        first = (side.start or 0) + REACH_SAMPLES
        errors = {
            one: float(np.square(own - answer[first - one : first - one + len(own)]).sum())
            for one in range(
                max(lag - PLAY_SAMPLES, -REACH_SAMPLES), min(lag + PLAY_SAMPLES, REACH_SAMPLES) + 1
            )
        }
        exact.append(min(errors, key=lambda one: errors[one]))
    block = max(8, round(BLOCK_S * curve.sample_rate))
    count = len(heard) // block
    first, second = (
        np.square(heard - answer[REACH_SAMPLES - lag : REACH_SAMPLES - lag + len(heard)])[: count * block]
        .reshape(count, block)
        .sum(axis=1)
        for lag in exact
    )
    likelier = 0.5 * np.log((second + block * model.floor) / (first + block * model.floor))
    sums = np.concatenate([[0.0], np.cumsum(likelier)])
    sure = np.flatnonzero(sums > sums.max() - 4.0)
    low, high = start + int(sure[0]) * block, start + int(sure[-1]) * block
    samples = exact[1] - exact[0]
    return Step((low + high) / 2, high - low + 2 * block + 2 * abs(samples) * (samples < 0), float(samples))
