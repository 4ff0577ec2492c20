"""The timing of one channel: its lag at any distance, clock, steps and wander, anchored at the response's onset."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from scipy.signal import resample_poly

from tapezoo.data.align.constant import CONFIDENT, Alignment, Peak, find_delay, find_peak, measured_at
from tapezoo.data.align.correlation import Real, Signal, cut
from tapezoo.data.align.far import FRAME_S, far_lags, onsets, speed_of
from tapezoo.data.align.jumps import Step, find_steps, pieces, united
from tapezoo.data.align.local import LocalDelays, local_delays
from tapezoo.data.align.shifts import find_shifts
from tapezoo.data.align.track import track_delay
from tapezoo.data.align.trajectory import DelayTrajectory
from tapezoo.devices.transport import read_delayed

MAX_DELAY_S = 0.6  # tape machines with separate heads: about 0.16 s at 7.5 ips, 0.35 s at 3.75
SURE = 3.0  # below this confidence, lags beyond the near search are tried too
FASTER = 2.0  # a lag at another speed must be this many times as confident
FAR_S = 0.25  # half-width of the fine search around a coarse lag
AGREES = 0.4  # share of the windows that must agree before their common lag is taken for the pair's
STILL_SAMPLES = 0.5  # a smaller spread of the windows' delays is not wander
BESIDE_CLOCK_SAMPLES = 2.0  # the same around the line of two clocks; distortion spreads delays by 1 sample
CLOCK_SIGMAS = 6.0
CLOCK_SHARE = 0.8  # share of the delay's variance that a line must explain to count as two clocks
LEAST_DRIFT_SAMPLES = 0.3
LEAST_PIECE_S = 0.3
EXCERPT_S = 20.0
LEAD_SAMPLES = 64
ROUNDS = 3  # of the search for steps that the windows missed

NO_DELAYS = LocalDelays(np.zeros(0), np.zeros(0), 0, 1)


@dataclass(frozen=True)
class Channel:
    """The measured timing of one channel.

    Args:
        constant: The best constant delay.
        wander: The whole delay over time; None where it is constant.
        steps: Lost and repeated samples.
        clock_ratio: Samples of wet per sample of dry.
    """

    constant: Alignment
    wander: DelayTrajectory | None
    steps: tuple[Step, ...]
    clock_ratio: float


def measure_channel(dry: Signal, wet: Signal, sample_rate: int) -> Channel:
    """Measures a channel's timing from the audio.

    Args:
        dry: (samples,).
        wet: (samples,), of any length.
        sample_rate: In Hz.
    """
    constant = find_delay(dry, wet, max(1, round(MAX_DELAY_S * sample_rate)))
    if constant.confidence >= SURE:
        local = local_delays(dry, wet, sample_rate, round(constant.delay_samples))
    else:
        constant, local, ratio = _search_far(dry, wet, sample_rate, constant)
        if ratio != 1.0:
            return Channel(constant, None, (), ratio)
        if not constant.found:
            return Channel(constant, None, (), 1.0)
    slope = _slope(local)
    steps = find_steps(dry, wet, sample_rate, local, slope)
    slope, is_clock = _clock(local, steps)
    slope = slope if is_clock else 0.0
    wander = _wander(dry, wet, sample_rate, local, steps, slope)
    for _ in range(ROUNDS):
        known = wander if wander is not None else _still(constant, sample_rate)
        missed = find_shifts(dry, wet, known)
        if not missed:
            break
        steps = united([*steps, *missed])
        wander = _wander(dry, wet, sample_rate, local, steps, slope)
    else:
        # these steps do not explain the delays that made them necessary
        return Channel(constant, None, tuple(steps or missed), 1.0)
    if wander is None:
        return Channel(constant, None, (), 1.0)
    steps = _as_stepped(steps, wander)
    wander, aligned = _anchored(dry, wet, wander)
    constant = replace(
        constant,
        correction_samples=int(np.floor(wander.delay_samples.min() + 0.02)),
        fraction_samples=0.0,
        inverted=aligned.inverted,
        confidence=max(constant.confidence, aligned.confidence),
    )
    return Channel(constant, wander, tuple(steps), 1 / (1 - slope) if is_clock else 1.0)


def _still(constant: Alignment, sample_rate: int) -> DelayTrajectory:
    whole = float(round(constant.delay_samples))
    return DelayTrajectory(np.zeros(1), np.array([whole]), np.ones(1), sample_rate)


def _search_far(
    dry: Signal, wet: Signal, sample_rate: int, near: Alignment
) -> tuple[Alignment, LocalDelays, float]:
    dry_onsets, wet_onsets = onsets(dry, sample_rate), onsets(wet, sample_rate)
    hop = max(1, round(FRAME_S * sample_rate))
    frames, _ = far_lags(dry_onsets, wet_onsets)
    lags = [frame * hop for frame in frames]
    peaks = [_peak_around(dry, wet, lag, round(FAR_S * sample_rate)) for lag in lags]
    surest = int(np.argmax([peak.confidence for peak in peaks]))
    best = near
    if peaks[surest].confidence > near.confidence:  # the only one whose onset and drift are worth measuring
        best = _measured_around(dry, wet, lags[surest], peaks[surest])
    other = None
    if best.confidence < SURE:
        ratio, frame = speed_of(dry_onsets, wet_onsets)
        other = _at_speed(dry, wet, sample_rate, ratio, frame * hop) if ratio != 1.0 else None
    if other is not None and other[0].confidence > FASTER * best.confidence:
        return other[0], NO_DELAYS, other[1]  # at the wrong speed a lag fits only isolated moments
    if best.found:
        local = local_delays(dry, wet, sample_rate, round(best.delay_samples))
        if best is near:
            return best, local, 1.0
        # a repeating loop also fits one repeat later, and fits better the less audio remains that could hold a step
        beside = local_delays(dry, wet, sample_rate, round(near.delay_samples))
        shares = [_shared_share(dry, wet, round(one.delay_samples)) for one in (near, best)]
        if beside.agreement < AGREES or beside.agreement * shares[0] < local.agreement * shares[1]:
            return best, local, 1.0
        return (near if near.found else _of_windows(near, beside)), beside, 1.0
    # no constant delay: look for lines and steps in the windows' own delays
    tried = [local_delays(dry, wet, sample_rate, lag) for lag in (round(near.delay_samples), *lags)]
    local = max(tried, key=lambda one: one.agreement)
    if local.agreement >= AGREES:
        return _of_windows(best, local), local, 1.0
    return (best, local, 1.0) if other is None else (other[0], NO_DELAYS, other[1])


def _shared_share(dry: Signal, wet: Signal, lag: int) -> float:
    """Share of the shorter recording that overlaps the other one at this lag."""
    shared = min(len(dry), len(wet) - lag) - max(0, -lag)
    return max(0, shared) / min(len(dry), len(wet))


def _of_windows(alignment: Alignment, local: LocalDelays) -> Alignment:
    """The alignment at the median of the windows' delays."""
    middle = float(np.median(local.delay_samples))
    confidence = max(CONFIDENT, 1 / (1.001 - min(local.agreement, 1.0)))
    return replace(alignment, delay_samples=middle, correction_samples=round(middle), confidence=confidence)


def _peak_around(dry: Signal, wet: Signal, lag: int, reach: int) -> Peak:
    own_dry, own_wet = _at_lag(dry, wet, lag)
    if min(len(own_dry), len(own_wet)) < 2048:
        return Peak(0.0, 0.0, False)
    return find_peak(own_dry, own_wet, reach)


def _measured_around(dry: Signal, wet: Signal, lag: int, peak: Peak) -> Alignment:
    found = measured_at(*_at_lag(dry, wet, lag), peak)
    return replace(
        found, delay_samples=found.delay_samples + lag, correction_samples=found.correction_samples + lag
    )


def _at_lag(dry: Signal, wet: Signal, lag: int) -> tuple[Signal, Signal]:
    return dry[max(0, -lag) :], wet[max(0, lag) :]


def _at_speed(
    dry: Signal, wet: Signal, sample_rate: int, ratio: float, lag: int
) -> tuple[Alignment, float] | None:
    """Whether wet matches dry at another playing speed, and the exact speed."""
    up, down = _fraction(ratio)
    length = round(EXCERPT_S * sample_rate)
    start = max(0, -lag)
    own_dry = cut(dry, start, min(len(dry), start + length))
    begin = max(0, round((start + lag) * ratio))
    own_wet = resample_poly(cut(wet, begin, min(len(wet), begin + round(length * ratio))), down, up)
    shared = min(len(own_dry), len(own_wet))
    if shared < 4096:
        return None
    found = find_delay(own_dry[:shared], own_wet[:shared], round(FAR_S * sample_rate))
    local = local_delays(own_dry[:shared], own_wet[:shared], sample_rate, round(found.delay_samples))
    if not found.found and local.agreement < AGREES:
        return None
    slope = _slope(local)
    return replace(found, confidence=max(found.confidence, CONFIDENT)), ratio / (1 - slope)


def _fraction(ratio: float) -> tuple[int, int]:
    exact = Fraction(ratio).limit_denominator(1000)
    return exact.numerator, exact.denominator


def _slope(local: LocalDelays) -> float:
    """The typical growth of the delay per sample of wet, ignoring steps."""
    if len(local.delay_samples) < 6:
        return 0.0
    grown, passed = np.diff(local.delay_samples), np.diff(local.at_samples)
    sane = np.abs(grown) < local.window_samples / 256
    if sane.sum() < 4:
        return 0.0
    rough = float(np.median(grown[sane] / passed[sane]))
    span = max(1, len(grown) // 8)  # neighbours are too noisy: use pairs further apart, then the median again
    wide, time = (values[span:] - values[:-span] for values in (local.delay_samples, local.at_samples))
    near = np.abs(wide - rough * time) < 1 + local.window_samples / 512
    return float(np.median(wide[near] / time[near])) if near.any() else rough


def _clock(local: LocalDelays, steps: list[Step]) -> tuple[float, bool]:
    """The growth of the delay per sample of wet, and whether two clocks explain it."""
    delays = _without(local, steps)
    at = local.at_samples
    if len(delays) < 6:
        return 0.0, False
    kept = np.ones(len(delays), bool)
    slope = level = 0.0
    for _ in range(4):
        slope, level = np.polyfit(at[kept], delays[kept], 1)
        left = delays - slope * at - level
        spread = 1.4826 * float(np.median(np.abs(left[kept]))) + 1e-3
        kept = np.abs(left) < 4 * spread
    time = at[kept] - at[kept].mean()
    error = spread / float(np.sqrt(np.square(time).sum()))
    drift = abs(slope) * float(np.ptp(at))
    explained = 1 - float(np.var(left[kept])) / (float(np.var(delays[kept])) + 1e-12)
    is_clock = abs(slope) > CLOCK_SIGMAS * error and drift > LEAST_DRIFT_SAMPLES and explained > CLOCK_SHARE
    return float(slope), bool(is_clock)


def _without(local: LocalDelays, steps: list[Step]) -> Real:
    return local.delay_samples - sum(
        (step.samples * (local.at_samples > step.at_samples) for step in steps),
        np.zeros(len(local.at_samples)),
    )


def _wander(
    dry: Signal, wet: Signal, sample_rate: int, local: LocalDelays, steps: list[Step], slope: float
) -> DelayTrajectory | None:
    delays = _without(local, steps) - slope * local.at_samples
    spread = float(np.subtract(*np.percentile(delays, (95, 5)))) if len(delays) > 4 else 0.0
    lines = _lines(len(wet), sample_rate, local, steps, slope)
    if spread > (BESIDE_CLOCK_SAMPLES if slope else STILL_SAMPLES):
        tracked = _tracked(dry, wet, sample_rate, lines)
        if tracked is not None:
            return tracked
    return lines if steps or slope else None


def _lines(
    samples: int, sample_rate: int, local: LocalDelays, steps: list[Step], slope: float
) -> DelayTrajectory:
    """A straight line from step to step."""
    level = (
        float(np.median(_without(local, steps) - slope * local.at_samples)) if len(local.at_samples) else 0.0
    )
    level = level if slope else round(level)  # whole samples, until the onset shows otherwise
    times, delays = [], []
    for start, stop in pieces(steps, samples):
        for edge in (start, stop):
            times.append(edge / sample_rate)
            delays.append(level + slope * edge)
        level += steps[len(times) // 2 - 1].samples if len(times) // 2 <= len(steps) else 0.0
    return DelayTrajectory(np.asarray(times), np.asarray(delays), np.ones(len(times)), sample_rate)


def _tracked(dry: Signal, wet: Signal, sample_rate: int, lines: DelayTrajectory) -> DelayTrajectory | None:
    """The wandering delay, tracked between the steps; None where it is constant between all of them."""
    parts, is_any = [], False
    for first in range(0, len(lines.times_s), 2):
        times, delays = lines.times_s[first : first + 2], lines.delay_samples[first : first + 2]
        start, stop = (round(time * sample_rate) for time in times)
        if times[1] - times[0] < LEAST_PIECE_S:
            parts.append(DelayTrajectory(times, delays, np.zeros(2), sample_rate))
            continue
        middle = round(float(delays.mean()))
        dry_start = max(0, start - middle)
        found = track_delay(
            dry[dry_start : max(dry_start, stop - middle)],
            wet[start:stop],
            sample_rate,
            middle - (start - dry_start),
        )
        if found is None:
            parts.append(DelayTrajectory(times, delays, np.ones(2), sample_rate))
            continue
        is_any = True
        inside = found.times_s < times[1] - times[0]
        own = found.times_s[inside] + times[0]
        own[0], own[-1] = times  # up to the steps
        moved = found.delay_samples[inside] + (start - dry_start)
        parts.append(DelayTrajectory(own, moved, found.confidence[inside], sample_rate))
    if not is_any:
        return None
    return DelayTrajectory(
        np.concatenate([part.times_s for part in parts]),
        np.concatenate([part.delay_samples for part in parts]),
        np.concatenate([part.confidence for part in parts]),
        sample_rate,
    )


def _as_stepped(steps: list[Step], wander: DelayTrajectory) -> list[Step]:
    """The steps with the trajectory's own sizes: between windows the delay may also have moved."""
    twice = np.flatnonzero(np.diff(wander.times_s) == 0)
    if len(twice) != len(steps):
        return steps
    sizes = wander.delay_samples[twice + 1] - wander.delay_samples[twice]
    return [replace(step, samples=float(size)) for step, size in zip(steps, sizes, strict=True)]


def _anchored(dry: Signal, wet: Signal, wander: DelayTrajectory) -> tuple[DelayTrajectory, Alignment]:
    """The trajectory, moved to the onset of the device's response to dry read along it."""
    start, stop = _excerpt(dry, wet, wander)
    past = _read(dry, wander, start, stop, LEAD_SAMPLES)
    found = find_delay(past, cut(wet, start, stop), 8 * LEAD_SAMPLES)
    if not found.found:
        return wander.shifted(-2.0), found
    return wander.shifted(found.correction_samples + found.fraction_samples - LEAD_SAMPLES), found


def _excerpt(dry: Signal, wet: Signal, wander: DelayTrajectory) -> tuple[int, int]:
    """Up to 20 s of wet in which dry is playing."""
    low = max(0, int(np.ceil(wander.delay_samples.max())))
    high = min(len(wet), len(dry) + int(np.floor(wander.delay_samples.min())))
    length = min(round(EXCERPT_S * wander.sample_rate), max(0, high - low))
    middle = (low + high) // 2
    start = max(0, middle - length // 2)
    return start, start + length


def _read(dry: Signal, wander: DelayTrajectory, start: int, stop: int, later_samples: int) -> Real:
    """Dry along the delay for wet's samples `start` to `stop`, read `later_samples` later so that wet lags it."""
    delay = wander.at(start + later_samples, stop + later_samples)
    base = int(np.floor((start + later_samples) - delay.max())) - 64
    end = int(np.ceil((stop + later_samples) - delay.min())) + 64
    within = start + later_samples - base
    return np.asarray(read_delayed(cut(dry, base, end), _padded(delay - within, end - base))[: stop - start])


def _padded(delay: Real, samples: int) -> Real:
    return np.pad(delay, (0, max(0, samples - len(delay))), mode="edge")
