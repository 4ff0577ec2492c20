"""From the timing of a pair to remarks: what was corrected, and what cannot be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tapezoo.data.align.timing import ChannelTiming, PairTiming
from tapezoo.data.timing_findings import NO_JUMPS_TOLD
from tapezoo.recordings.laying import Laying
from tapezoo.recordings.remarks import Remark

WRONG_LABEL = 2e-3  # a clock ratio further from 1 cannot be a clock error: a sample rate is labelled wrong
CLAIM_SAMPLES = 8  # largest difference between the delay that the user states and the measured one


def timing_refusals(timing: PairTiming, offset_samples: int | None) -> list[Remark]:
    """What makes it impossible to lay wet over dry.

    Args:
        timing: Of all channels.
        offset_samples: The delay that the user names.
    """
    remarks = []
    for number, channel in enumerate(timing.channels):
        at = f"channel {number + 1}: " if len(timing.channels) > 1 else ""
        if not channel.found:
            text = (
                f"{at}no clear delay of wet against dry was found (confidence {channel.confidence:.2f}): wet "
                "may belong to another dry, or the audio repeats itself, or is too quiet or too short"
            )
            advice = "check the names of the files, or record more varied audio"
            remarks.append(Remark("refused", "no_delay", text, advice))
            continue
        if offset_samples is not None and abs(channel.constant_samples - offset_samples) > CLAIM_SAMPLES:
            text = (
                f"{at}offset_samples says {offset_samples}, but in the audio wet lags dry by "
                f"{channel.constant_samples} samples"
            )
            remarks.append(Remark("refused", "offset", text, "correct it, or leave it out"))
        if channel.jumps and channel.wander is None:
            first = channel.jumps[0]
            text = (
                f"{at}{len(channel.jumps)} times the recorder lost or repeated samples, first {abs(first.samples):.0f} "
                f"at {first.time_s:.2f} s, and that cannot be repaired"
            )
            remarks.append(Remark("refused", "jump", text, "record it again"))
    ratio = timing.clock_ratio
    if abs(ratio - 1) > WRONG_LABEL:
        text = f"wet is {ratio:.5f} times as long as dry: one of the two files has a wrong sample rate in its header"
        remarks.append(Remark("refused", "clock", text, "export both with their true sample rate"))
    return remarks


def timing_remarks(laid: Laying, channels: Sequence[ChannelTiming], sample_rate: int) -> list[Remark]:
    """What was done about delay, polarity, offset and silence, channel by channel."""
    remarks = []
    for number, channel in enumerate(channels):
        at = f"channel {number + 1}: " if len(channels) > 1 else ""
        constant, fraction = laid.constants_samples[number], laid.fractions_samples[number]
        if constant or fraction:
            side = "lags" if constant >= 0 else "leads"
            lag = abs(constant + fraction)
            text = f"{at}wet {side} dry by {lag:.10g} sample{'' if lag == 1 else 's'}"
            text += f" ({lag / sample_rate * 1000:.2f} ms); removed by cutting"
            text += f", and {fraction:.2f} samples by resampling dry" if fraction else ""
            remarks.append(Remark("corrected", "delay", text))
        trajectory = laid.trajectories[number]
        if trajectory is not None:
            unsure = float(np.mean(trajectory.confidence < 0.5))
            text = (
                f"{at}the delay wanders by {trajectory.wander_samples:.1f} samples; it is written as a trajectory, "
                "which --data.delay remove uses"
            )
            text += (
                f" ({unsure:.0%} of its points are interpolated from their neighbours)"
                if unsure >= 0.005
                else ""
            )
            remarks.append(Remark("corrected", "wander", text))
        for jump in channel.jumps:
            what = "lost" if jump.samples < 0 else "repeated"
            text = (
                f"{at}{abs(jump.samples):.0f} samples were {what} at {jump.time_s:.2f} s of the recording "
                f"(within {jump.window_s * 1000:.0f} ms)"
            )
            remarks.append(Remark("limits", "jump", text, "the trajectory has a step there"))
        if not channel.tells_jumps:
            remarks.append(Remark("note", "jump", at + NO_JUMPS_TOLD))
        if channel.inverted:
            is_turned = laid.turned[number]
            text = f"{at}wet is inverted against dry; "
            text += "corrected" if is_turned else "kept, as --keep-polarity says"
            remarks.append(Remark("corrected" if is_turned else "note", "polarity", text))
        if abs(laid.dc[number]) > 1e-3:
            where = "where dry is silent" if laid.dc_in_silence else "as the mean of wet: dry is never silent"
            text = f"{at}a constant offset of {laid.dc[number]:+.4f} in wet, measured {where}, is removed"
            remarks.append(Remark("corrected", "dc", text))
    begin, end = laid.trimmed_s
    if begin >= 0.05 or end >= 0.05:
        text = f"{begin:.1f} s of digital silence at the beginning and {end:.1f} s at the end are cut off"
        remarks.append(Remark("corrected", "trimmed", text))
    return remarks
