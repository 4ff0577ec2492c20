"""The delay of every channel of a pair: found in its audio, claimed by the user, or read from a file."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from tapezoo.data.align.timing import ChannelTiming, PairTiming, measure_timing
from tapezoo.data.align.trajectory import DelayTrajectory
from tapezoo.data.align.trajectory_csv import read_trajectory
from tapezoo.data.audio import Audio
from tapezoo.data.claims import offset_facts
from tapezoo.data.common_response import Excerpt, match_responses, take_excerpt
from tapezoo.data.delays import (
    Aligned,
    DelayMode,
    give_delay,
    keep_delay,
    read_along,
    remove_delay,
    remove_fraction,
)
from tapezoo.data.findings import Finding
from tapezoo.data.pairs import Pair
from tapezoo.data.prepared import Signal
from tapezoo.data.streams import deviation, read_signal
from tapezoo.data.timing_findings import (
    check_clock,
    check_jumps,
    file_facts,
    name_channels,
    timing_facts,
    unite_facts,
)

Align = Literal["auto", "off"]
MakeScratch = Callable[[], AbstractContextManager[Path]]

LEAST_EXCERPT_SAMPLES = 4096  # a shorter excerpt does not show the response


@dataclass(frozen=True)
class ChannelDelay:
    """What is done about the delay of one channel.

    Args:
        constant_samples: Whole samples that are taken off where the delay is kept.
        fraction_samples: Fraction of a sample by which dry is delayed beyond that, 0 to 1.
        trajectory: The whole delay over the time of wet; None: it is constant.
        is_heard: Whether the constant was measured from the recording, which is accurate to a few samples.
    """

    constant_samples: int
    fraction_samples: float = 0.0
    trajectory: DelayTrajectory | None = None
    is_heard: bool = False

    def align(self, dry: Signal, wet: Signal, mode: DelayMode, scratch: Path) -> Aligned:
        """Cuts and reads one channel.

        Args:
            dry: (samples of dry,).
            wet: (samples of wet,).
            mode: What becomes of a delay that wanders.
            scratch: Folder for signals too long for memory.
        """
        if mode == "give":
            whole = self.constant_samples + self.fraction_samples
            at = self.trajectory.at if self.trajectory else lambda start, stop: np.full(stop - start, whole)
            return give_delay(dry, wet, at, scratch)
        if mode == "remove" and self.trajectory is not None:
            return remove_delay(dry, wet, self.constant_samples, self.trajectory.at, scratch)
        if self.fraction_samples:
            return remove_fraction(dry, wet, self.constant_samples, self.fraction_samples, scratch)
        return keep_delay(dry, wet, self.constant_samples)


Settled = tuple[list[ChannelDelay], list[Finding]]


def settle_delays(
    pair: Pair, dry: Audio, wet: Audio, sample_rate: int, align: Align, mode: DelayMode, scratch: Path
) -> Settled:
    """Each channel's delay, and what the user should know of it.

    Args:
        pair: Its files and what the user says of them.
        dry: What went into the machine.
        wet: What came out.
        sample_rate: In Hz.
        align: "auto" finds the delay where `pair` gives none; "off" takes the files as they lie.
        mode: What becomes of a delay that wanders.
        scratch: Folder for signals too long for memory.

    Shape:
        dry, wet: (channels, samples), of any two lengths.

    Raises:
        DataError: A sample rate that is labelled wrong, lost samples that are not repaired, or a faulty trajectory.
    """
    if pair.delay is not None and mode != "keep":
        return _from_file(pair, pair.delay, dry, wet, sample_rate, align, mode, scratch)
    timing = measure_timing(dry, wet, sample_rate)
    check_clock(pair.wet, timing, sample_rate)
    if mode == "keep":
        check_jumps(pair.wet, timing)
    if pair.offset_samples is not None or align == "off":
        return _claimed(pair, timing, mode)
    facts = [timing_facts(channel, timing.clock_ratio, sample_rate, mode) for channel in timing.channels]
    delays = [_found(channel) for channel in timing.channels]
    if any(channel.found for channel in timing.channels) and not all(
        channel.found for channel in timing.channels
    ):
        clear = _loudest_found(timing, wet)
        for number, channel in enumerate(timing.channels):
            if not channel.found:
                delays[number] = replace(delays[clear], is_heard=False)
                text = (
                    f"no clear delay was found (confidence {channel.confidence:.2f}); that of channel {clear + 1} is "
                    "used instead"
                )
                facts[number] = [("warning", "unaligned", text)]
    return delays, unite_facts(pair.wet.name, facts)


def _found(channel: ChannelTiming) -> ChannelDelay:
    if not channel.found:
        return ChannelDelay(0)
    return ChannelDelay(channel.constant_samples, channel.fraction_samples, channel.wander, is_heard=True)


def _loudest_found(timing: PairTiming, wet: Audio) -> int:
    levels = [
        deviation(signal)[1] if channel.found else -1.0
        for signal, channel in zip(wet, timing.channels, strict=True)
    ]
    return int(np.argmax(levels))


def _claimed(pair: Pair, timing: PairTiming, mode: DelayMode) -> tuple[list[ChannelDelay], list[Finding]]:
    """The delay with the user's constant; a wander around it is still measured."""
    claimed = pair.offset_samples or 0
    claim = f"offset_samples {claimed}" if pair.offset_samples is not None else "'align: off', a delay of 0,"
    delays: list[ChannelDelay] = []
    facts = []
    for channel in timing.channels:
        wander = channel.wander if channel.found else None
        moved = wander.shifted(claimed - channel.constant_samples) if wander else None
        delays.append(ChannelDelay(claimed, 0.0, moved if mode != "keep" else None))
        is_worth_saying = channel.found or pair.offset_samples is not None
        facts.append(offset_facts(claimed, channel, claim) if is_worth_saying else [])
    return delays, unite_facts(pair.wet.name, facts)


def _from_file(
    pair: Pair,
    path: Path,
    dry: Audio,
    wet: Audio,
    sample_rate: int,
    align: Align,
    mode: DelayMode,
    scratch: Path,
) -> tuple[list[ChannelDelay], list[Finding]]:
    """The whole delay as a file states it; the onset of the device's response is measured in the audio."""
    stated = read_trajectory(path, sample_rate)
    delays, facts = [], []
    for own_dry, own_wet in zip(dry, wet, strict=True):
        left: ChannelTiming | None = None
        moved = stated
        if align == "auto":
            warped = read_along(own_dry, stated.at, 0, len(own_wet), scratch)
            timing = measure_timing(warped[None], own_wet[None], sample_rate)
            (left,) = timing.channels
            if left.found:
                moved = stated.shifted(left.constant_samples + left.fraction_samples)
        middle = float(np.median(moved.delay_samples))
        delays.append(ChannelDelay(math.floor(middle), 0.0, moved))
        facts.append(file_facts(path.name, stated, left, len(own_wet), mode))
    return delays, unite_facts(pair.wet.name, facts)


def _over_time(own: ChannelDelay, sample_rate: int) -> DelayTrajectory | None:
    """The delay if it may be moved; None: the user stated it, or none was found in the channel."""
    if own.trajectory is None and own.is_heard:
        whole = np.array([own.constant_samples + own.fraction_samples])
        return DelayTrajectory(np.zeros(1), whole, np.ones(1), sample_rate)
    return own.trajectory


def settle_together(
    pairs: Sequence[Pair], sample_rate: int, align: Align, mode: DelayMode, make_scratch: MakeScratch
) -> list[Settled]:
    """The delays of several recordings of one machine at one setting, moved until one response explains all.

    A delay that stands still moves by whole samples, so that nothing is resampled for it.

    Args:
        pairs: The recordings.
        sample_rate: In Hz.
        align: See `settle_delays`.
        mode: What becomes of a delay that wanders.
        make_scratch: Opens a folder for one pair's signals too long for memory.
    """
    settled: list[Settled] = []
    places: list[tuple[int, int]] = []
    excerpts: list[Excerpt] = []
    for number, pair in enumerate(pairs):
        with make_scratch() as folder:
            dry, wet = read_signal(pair.dry, folder), read_signal(pair.wet, folder)
            settled.append(settle_delays(pair, dry, wet, sample_rate, align, mode, folder))
            for channel, own in enumerate(settled[-1][0]):
                trajectory = _over_time(own, sample_rate)
                if trajectory is not None:
                    excerpt = take_excerpt(dry[channel], wet[channel], trajectory, len(pairs))
                    if len(excerpt.wet) > LEAST_EXCERPT_SAMPLES:
                        places.append((number, channel))
                        excerpts.append(excerpt)
    shifts = match_responses(excerpts) if len(excerpts) > 1 and align == "auto" else None
    for (number, channel), shift in zip(places, shifts or [], strict=False):
        delays, findings = settled[number]
        own = delays[channel]
        if own.trajectory is None:
            shift = round(shift)
            delays[channel] = replace(own, constant_samples=own.constant_samples + shift)
        else:
            delays[channel] = replace(own, trajectory=own.trajectory.shifted(shift))
        if shift == 0:
            continue
        name = name_channels(pairs[number].wet.name, len(delays))[channel]
        text = f"its delay is moved by {shift:+.2f} samples: the recordings of one machine then have one response"
        findings.append(Finding("corrected", "onset", name, text))
    return settled
