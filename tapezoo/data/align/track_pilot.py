"""The delay over time from a pilot, and how much of the pilot leaks into the music."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tapezoo.data.align.pilot import Channel, Pilot, PulseTrain, Tone
from tapezoo.data.align.trajectory import DelayTrajectory
from tapezoo.data.errors import DataError

Real = NDArray[np.float64]

PULSE_REACH_S = 7e-4  # half-width of a pulse
SURE_LIKENESS = 0.5  # correlation with the typical pulse; below it, the delay is carried over
TONE_WINDOW_S = 0.01  # flutter of 25 Hz keeps .97 of its depth
TONE_POINTS_HZ = 500.0
MAX_SPEED = 0.03
_FINE = 64  # steps per sample
_BLOCK_POINTS = 512


def track_pilot(
    dry: Channel, wet: Channel, sample_rate: int, pilot: Pilot, around_samples: float
) -> DelayTrajectory:
    """The delay of a pilot's channel over time: a point per pulse, or 500 per second of a tone.

    Args:
        dry: The pilot as it was played.
        wet: As it came back, in the same take as the music.
        sample_rate: Of both, in Hz.
        pilot: What it is (`detect_pilot(dry, sample_rate)`).
        around_samples: The delay at the beginning, to less than half a period of the pilot, which cannot tell one
            period from another; the music can (`find_delay`).

    Shape:
        dry, wet: (samples,).

    Raises:
        DataError: The pilot is not there.
    """
    times, delay, likeness = (
        _follow_pulses(dry, wet, sample_rate, pilot, around_samples)
        if isinstance(pilot, PulseTrain)
        else _follow_tone(dry, wet, sample_rate, pilot, around_samples)
    )
    sure = likeness >= SURE_LIKENESS
    if np.count_nonzero(sure) < 2 or np.mean(sure) < 0.5:
        raise DataError(
            "the pilot",
            found=f"{np.count_nonzero(sure)} of {len(sure)} places where it was found in the recording",
            expected="a pilot recorded beside the music, in the same take",
            fix="Check the cables and levels of the second channel, or leave out the pilot.",
        )
    delay = np.interp(times, times[sure], delay[sure])
    return DelayTrajectory(times / sample_rate, delay, np.clip(likeness, 0, 1), sample_rate)


def crosstalk_db(music: Channel, pilot_wet: Channel, sample_rate: int, pilot: Pilot) -> float | None:
    """Level of the pilot in the recorded music, over its level in its own channel; None where none can be measured.

    Shape:
        music, pilot_wet: (samples,), recorded in the same take.
    """
    length = min(len(music), len(pilot_wet))
    if isinstance(pilot, Tone):
        centres = np.arange(sample_rate // 8, length - sample_rate // 8, sample_rate // 8, dtype=np.float64)
        own = _phasors(pilot_wet, centres, sample_rate, pilot.frequency_hz, 0.1)
        other = _phasors(music, centres, sample_rate, pilot.frequency_hz, 0.1)
    else:
        peaks = _pulse_peaks(pilot_wet[:length], pilot.period_samples)
        reach = round(PULSE_REACH_S * sample_rate)
        peaks = peaks[(peaks >= reach) & (peaks < length - reach)]
        shape = _mean_pulse(pilot_wet, peaks, reach)
        own, other = (_projections(channel, peaks, shape).astype(complex) for channel in (pilot_wet, music))
    if len(own) < 4:
        return None
    power = float(np.sum(np.abs(own) ** 2)) + 1e-30
    ratio = np.sum(other * np.conj(own)) / power
    # music is unrelated to the pilot and averages out, up to this error
    accident = float(np.sqrt(np.sum(np.abs(other - ratio * own) ** 2 * np.abs(own) ** 2)) / power)
    return float(20 * np.log10(abs(ratio))) if abs(ratio) > 3 * accident else None


def _follow_pulses(
    dry: Channel, wet: Channel, sample_rate: int, pilot: PulseTrain, around: float
) -> tuple[Real, Real, Real]:
    """Times of the pulses in wet, in samples, their delays and how like the usual pulse each one is."""
    reach = round(PULSE_REACH_S * sample_rate)
    peaks = _pulse_peaks(dry, pilot.period_samples)
    shape = _mean_pulse(dry, peaks[(peaks >= reach) & (peaks < len(dry) - reach)][:500], reach)
    times, delay, likeness = _match(wet, peaks, shape, pilot.period_samples, around)
    sure = likeness >= SURE_LIKENESS
    if not sure.any():
        return times, delay, likeness
    # the pulse as the machine returned it gives a more precise position than the pulse that was played
    found = np.round(times[sure][:500]).astype(int)
    found = found[(found >= reach) & (found < len(wet) - reach)]
    own = _mean_pulse(wet, found, reach)
    again = _match(wet, peaks, own, pilot.period_samples, around)
    both = sure & (again[2] >= SURE_LIKENESS)
    offset = float(np.median(again[1][both] - delay[both])) if both.any() else 0.0
    return again[0] - offset, again[1] - offset, again[2]


def _match(wet: Channel, peaks: Real, shape: Real, period: float, around: float) -> tuple[Real, Real, Real]:
    half = len(shape) // 2
    shape = shape / np.sqrt(np.sum(shape**2) + 1e-30)
    delay, likeness = np.full(len(peaks), float(around)), np.zeros(len(peaks))
    expected, search = around, 0.45 * period
    narrow = 4 + MAX_SPEED * period
    fraction = np.arange(-_FINE, _FINE + 1) / _FINE
    sincs = np.sinc(fraction[:, None] - np.arange(-8, 9)[None, :])
    for number, peak in enumerate(peaks):
        reach = int(search)
        centre = int(np.round(peak + expected))
        low = centre - reach - half - 8
        if low < 0 or centre + reach + half + 9 > len(wet):
            delay[number] = expected
            continue
        part = np.asarray(wet[low : centre + reach + half + 9], dtype=np.float64)
        heights = np.correlate(part, shape, "valid")
        best = 8 + int(np.argmax(heights[8:-8]))
        energy = float(np.sum(part[best : best + len(shape)] ** 2))
        likeness[number] = max(0.0, heights[best]) / np.sqrt(energy + 1e-30)
        if likeness[number] >= SURE_LIKENESS:
            fine = sincs @ heights[best - 8 : best + 9]
            expected = low + best + half + float(fraction[int(np.argmax(fine))]) - peak
            search = narrow
        else:
            search = min(search + narrow, 0.45 * period)  # the delay may have moved on meanwhile
        delay[number] = expected
    return peaks + delay, delay, likeness


def _pulse_peaks(channel: Channel, period: float) -> Real:
    """Where the pulses of a train are, in whole samples: each the highest of its period, near the one before."""
    own = np.asarray(channel, dtype=np.float32)
    step = round(period)
    low = round(0.2 * period)
    first = int(np.argmax(np.abs(own) >= 0.5 * _usual_height(own, step)))
    first += int(np.argmax(np.abs(own[first : first + low])))
    sign = 1 if own[first] >= 0 else -1
    peaks = []
    place = float(first)
    while round(place) + low < len(own):
        start = max(0, round(place) - low)
        found = start + int(np.argmax(sign * own[start : round(place) + low + 1]))
        peaks.append(found)
        # follows a slow drift, but not a single click
        place += period + 0.2 * (found - place)
    return np.asarray(peaks, dtype=np.float64)


def _usual_height(own: NDArray[np.float32], step: int) -> float:
    whole = len(own) // step * step
    return float(np.median(np.abs(own[:whole]).reshape(-1, step).max(axis=1)))


def _mean_pulse(channel: Channel, peaks: NDArray[np.floating] | NDArray[np.int64], reach: int) -> Real:
    shape = np.zeros(2 * reach + 1)
    for peak in peaks.astype(int):
        shape += channel[peak - reach : peak + reach + 1]
    shape /= max(1, len(peaks))
    return np.asarray((shape - shape.mean()) * np.hanning(2 * reach + 3)[1:-1])


def _projections(channel: Channel, peaks: Real, shape: Real) -> Real:
    half = len(shape) // 2
    return np.array([float(shape @ channel[peak - half : peak + half + 1]) for peak in peaks.astype(int)])


def _follow_tone(
    dry: Channel, wet: Channel, sample_rate: int, pilot: Tone, around: float
) -> tuple[Real, Real, Real]:
    """Times of wet, in samples, the delays there and how much of the window's energy is the tone."""
    centres = np.arange(0, len(wet), sample_rate / TONE_POINTS_HZ)
    found = _phasors(wet, centres, sample_rate, pilot.frequency_hz, TONE_WINDOW_S)
    sounding = np.abs(found) > 0.3 * np.percentile(np.abs(found), 75)
    played = _phasors(
        dry, np.arange(0, len(dry), sample_rate / TONE_POINTS_HZ), sample_rate, pilot.frequency_hz, 0.05
    )
    loud = np.abs(played) > 0.5 * np.abs(played).max()
    turns = np.unwrap(np.angle(played[loud]))
    # the phase of the tone that was played is a straight line: a machine generated it
    line = np.polyfit(np.arange(0, len(dry), sample_rate / TONE_POINTS_HZ)[loud], turns, 1)
    per_sample = 2 * np.pi * pilot.frequency_hz / sample_rate + line[0]
    phase = np.angle(found * np.exp(-1j * np.polyval(line, centres)))
    delay = np.zeros(len(centres))
    if sounding.any():
        steps = np.unwrap(-phase[sounding]) / per_sample
        start = np.median(steps[:20])
        steps += np.round((around - start) * per_sample / (2 * np.pi)) * 2 * np.pi / per_sample
        delay = np.interp(np.arange(len(centres)), np.flatnonzero(sounding), steps)
    return centres, delay, sounding.astype(float)


def _phasors(
    channel: Channel, centres: Real, sample_rate: int, frequency_hz: float, window_s: float
) -> NDArray[np.complex128]:
    """Amplitude and phase of a frequency around each centre, against a sine that begins at sample 0."""
    half = round(window_s * sample_rate / 2)
    offsets = np.arange(-half, half + 1)
    window = np.hanning(len(offsets) + 2)[1:-1]
    turn = 2j * np.pi * frequency_hz / sample_rate
    kernel = window / window.sum() * np.exp(-turn * offsets)
    found = np.empty(len(centres), dtype=np.complex128)
    for start in range(0, len(centres), _BLOCK_POINTS):
        whole = np.round(centres[start : start + _BLOCK_POINTS]).astype(int)
        places = whole[:, None] + offsets
        inside = np.clip(places, 0, len(channel) - 1)
        low, high = int(inside.min()), int(inside.max()) + 1
        own = np.asarray(channel[low:high], dtype=np.float64)[inside - low] * (places == inside)
        found[start : start + _BLOCK_POINTS] = own @ kernel * np.exp(-turn * whole)
    return found
