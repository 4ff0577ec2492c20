"""Uses the marks of an excitation to check that a pair is one, where wet begins, and whether wet is complete."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from tapezoo.data.align.timing import ChannelTiming, PairTiming, measure_timing
from tapezoo.data.errors import DataError
from tapezoo.recordings.excitation.layout import Layout
from tapezoo.recordings.excitation.recognition import Marks, find_marks, recognise
from tapezoo.recordings.intake import Intake
from tapezoo.recordings.remarks import Remark

AROUND_S = 0.1  # wet is cut this much before the mark: its response may begin earlier
APART_S = (
    0.02  # most that marks' and music's delays may differ: a filter's delay in the marks' band is shorter
)
WRONG_LABEL = 0.01  # no tape speed is off by this much
MOVED_SAMPLES = 8.0  # what wow at the marks may look like
CLOCK_PPM = 2.0  # what wow at the marks may look like in a short session


@dataclass(frozen=True)
class Marked:
    """A pair as it was read, and its marks.

    Args:
        intake: The pair; where dry's second channel was the excitation's pilot, it is one no more.
        layout: Of dry; None: dry is no excitation.
        marks: Where they came back; None: nowhere, or dry is no excitation.
    """

    intake: Intake
    layout: Layout | None = None
    marks: Marks | None = None


def read_marks(intake: Intake, sample_rate: int) -> Marked | tuple[Remark, ...]:
    """Recognises an excitation; anything else comes back as it is.

    Args:
        intake: The pair.
        sample_rate: In Hz.

    Returns:
        What was found, its remarks among the intake's; or refusals.
    """
    layout = recognise(intake.dry, sample_rate)
    if layout is None:
        return Marked(intake)
    remarks = [Remark("note", "excitation", f"dry is an excitation of tapezoo ({layout.design})")]
    try:
        marks = find_marks(intake.wet, sample_rate, layout)
    except DataError as error:
        return (Remark("refused", "excitation", str(error)),)
    if layout.design.pilot != "none" and len(intake.dry) == len(intake.wet) == 2 and intake.pilot is None:
        pilot = (intake.dry[1], intake.wet[1])
        intake = replace(intake, dry=intake.dry[:1], wet=intake.wet[:1], pilot=pilot)
        remarks.append(
            Remark("note", "pilot", f"the second channel is the excitation's pilot ({layout.design.pilot})")
        )
    if marks is None:
        text = (
            "the first mark of the excitation was not found in wet: the recording began too late, or belongs "
            "to another take"
        )
        remarks.append(Remark("limits", "excitation", text, "record from the first mark to the last"))
    else:
        if abs(marks.clock_ratio - 1) > WRONG_LABEL:
            text = (
                f"between the marks wet is {marks.clock_ratio:.5f} times as long as dry: one of the two files has "
                "a wrong sample rate in its header, or the tape ran at another speed"
            )
            return (Remark("refused", "clock", text, "export both with their true sample rate"),)
        remarks += _mark_remarks(marks, layout, sample_rate, intake.wet.shape[1])
    return Marked(replace(intake, remarks=(*intake.remarks, *remarks)), layout, marks)


def measure_marked(marked: Marked, sample_rate: int) -> PairTiming:
    """The timing of a pair; of an excitation from near its marks on, however much earlier a recording began.

    Args:
        marked: The pair.
        sample_rate: In Hz.
    """
    dry, wet = marked.intake.dry, marked.intake.wet
    if marked.marks is None:
        return measure_timing(dry, wet, sample_rate)
    around = round(AROUND_S * sample_rate)
    late = math.floor(marked.marks.start_delay_samples)
    wet_start, dry_start = max(0, late - around), max(0, -late - around)
    own_dry = dry[:, dry_start:]
    own_wet = wet[:, wet_start : wet_start + own_dry.shape[1] + 2 * around]
    timing = measure_timing(own_dry, own_wet, sample_rate)
    channels = tuple(_moved(one, wet_start, wet_start - dry_start, sample_rate) for one in timing.channels)
    return replace(timing, channels=channels)


def marks_refusals(marked: Marked, timing: PairTiming, sample_rate: int) -> list[Remark]:
    """Where the delay that the whole sound shows contradicts the marks'.

    Args:
        marked: The pair.
        timing: Of its channels.
        sample_rate: In Hz.
    """
    if marked.marks is None:
        return []
    remarks = []
    for number, channel in enumerate(timing.channels):
        at = f"channel {number + 1}: " if len(timing.channels) > 1 else ""
        heard = float(channel.constant_samples)
        if channel.wander is not None:
            heard = float(channel.wander.at_times(np.array([marked.marks.start_mark / sample_rate]))[0])
        if channel.found and abs(heard - marked.marks.start_delay_samples) > APART_S * sample_rate:
            text = (
                f"{at}the excitation's first mark lags by {marked.marks.start_delay_samples:.0f} samples, but the "
                f"sound as a whole by {heard:.0f}"
            )
            advice = "the recording was cut or edited, or joins two takes; record it in one take"
            remarks.append(Remark("refused", "excitation", text, advice))
    return remarks


def speed_remarks(marked: Marked, timing: PairTiming, sample_rate: int) -> list[Remark]:
    """Reports a change of the delay between the marks that the timing lacks: lost samples, or an undetected speed.

    Args:
        marked: The pair.
        timing: Of its channels.
        sample_rate: In Hz.
    """
    marks = marked.marks
    if marks is None or marks.end_mark is None or marks.end_delay_samples is None:
        return []
    heard = marks.end_delay_samples - marks.start_delay_samples
    remarks = []
    for number, channel in enumerate(timing.channels):
        at = f"channel {number + 1}: " if len(timing.channels) > 1 else ""
        told = 0.0
        if channel.wander is not None:
            ends = np.array([marks.start_mark, marks.end_mark]) / sample_rate
            told = float(np.diff(channel.wander.at_times(ends))[0])
        if abs(heard - told) > MOVED_SAMPLES:
            text = (
                f"{at}from the first mark to the last the delay changes by {heard:+.1f} samples, but the sound "
                f"between them shows {told:+.1f}"
            )
            remarks.append(
                Remark(
                    "limits", "excitation", text, "samples were lost, or a change of speed was not detected"
                )
            )
    return remarks


def _mark_remarks(marks: Marks, layout: Layout, sample_rate: int, wet_samples: int) -> list[Remark]:
    lag = marks.start_delay_samples
    text = f"its first mark lags by {lag:.1f} samples ({lag / sample_rate * 1000:.1f} ms)"
    if marks.end_mark is None:
        there_s = (wet_samples - lag) / sample_rate
        text += f"; its last mark is not in wet, which holds {there_s:.1f} of {layout.samples / sample_rate:.1f} s"
        return [Remark("limits", "excitation", text, "record from the first mark to the last, in one take")]
    text += f", its last by {marks.end_delay_samples:.1f}"
    ppm = (marks.clock_ratio - 1) * 1e6
    if abs(ppm) > CLOCK_PPM:
        text += f": wet runs {abs(ppm):.0f} ppm {'slower' if ppm > 0 else 'faster'}"
    return [Remark("note", "excitation", text)]


def _moved(channel: ChannelTiming, start_samples: int, delay_samples: int, sample_rate: int) -> ChannelTiming:
    """The timing of the whole wet, from that of a part which begins at `start_samples`."""
    if not (start_samples or delay_samples) or not channel.found:
        return channel
    wander = channel.wander
    if wander is not None:
        wander = replace(wander.shifted(delay_samples), times_s=wander.times_s + start_samples / sample_rate)
    return replace(
        channel,
        constant_samples=channel.constant_samples + delay_samples,
        wander=wander,
        jumps=tuple(replace(one, time_s=one.time_s + start_samples / sample_rate) for one in channel.jumps),
    )
