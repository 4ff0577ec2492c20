"""What the timing of a pair means to its user: refused, corrected, or warned of; one finding per fact."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tapezoo.data.align.timing import ChannelTiming, PairTiming
from tapezoo.data.align.trajectory import DelayTrajectory
from tapezoo.data.delays import DelayMode
from tapezoo.data.errors import DataError
from tapezoo.data.findings import Finding, Severity

Fact = tuple[Severity, str, str]
"""Severity, kind and text of a finding, without its subject."""

WRONG_RATE = 2e-3  # no two clocks are that far apart: a sample rate is labelled wrong
FAR_SAMPLES = 32  # a trajectory that differs from the audio by this much is probably from another take
NO_JUMPS_TOLD = (
    "the audio has too few frequencies at once to detect lost samples: sweeps and single tones are not enough"
)
COVERED_S = 1.0  # a trajectory may end this much before or after its recording


def check_clock(wet: Path, timing: PairTiming, sample_rate: int) -> None:
    """Raises DataError where wet runs at another rate than its header says."""
    if abs(timing.clock_ratio - 1) <= WRONG_RATE:
        return
    raise DataError(
        str(wet),
        found=f"audio that runs {timing.clock_ratio:.5f} times as long as that of dry: as if recorded at "
        f"{sample_rate * timing.clock_ratio:.0f} Hz and labelled {sample_rate} Hz",
        expected="the sample rate it was recorded at",
        fix="Correct its sample rate, then resample it to the rate of dry; or record both through one converter.",
    )


def check_jumps(wet: Path, timing: PairTiming) -> None:
    """Raises DataError where a recorder lost or repeated samples, which a constant delay does not repair."""
    found = [
        (number, jump) for number, channel in enumerate(timing.channels, start=1) for jump in channel.jumps
    ]
    if not found:
        return
    number, first = found[0]
    what = "lost" if first.samples < 0 else "too many"
    others = f", the first of {len(found)} such places," if len(found) > 1 else ""
    where = f" of channel {number}" if len(timing.channels) > 1 else ""
    raise DataError(
        str(wet),
        found=f"{abs(first.samples):g} samples {what}{where}{others} at {first.time_s:.2f} s (within "
        f"{first.window_s:.2f} s)",
        expected="a recording without a gap, or a delay that follows it",
        fix="Record it again; or pass --data.delay remove, or run `tapezoo prepare`, which follow the gap.",
    )


def timing_facts(channel: ChannelTiming, clock_ratio: float, sample_rate: int, mode: DelayMode) -> list[Fact]:
    """What the timing of one channel is, and what was done about it."""
    if not channel.found:
        text = (
            f"no clear delay was found (confidence {channel.confidence:.2f}); left as it is. The audio may "
            "repeat itself, or wet may belong to another dry; if you know the delay, give offset_samples or delay "
            "in a pairs file"
        )
        return [("warning", "unaligned", text)]
    facts: list[Fact] = []
    whole, fraction = channel.constant_samples, channel.fraction_samples
    if (whole or fraction) and (mode == "keep" or channel.wander is None):
        side = "lags" if whole + fraction > 0 else "leads"
        late = abs(whole + fraction)
        text = f"{side} dry by {late:.1f} samples ({late / sample_rate * 1000:.2f} ms); corrected by {abs(whole)}"
        if not fraction and abs(late - abs(whole)) >= 1:
            text += ", where the device's response begins (the first figure is its strongest part)"
        if fraction:
            text += f", and dry is resampled to be {fraction:.2f} samples later"
        facts.append(("corrected", "delay", text))
    facts += _wander_facts(channel, clock_ratio, mode)
    if not channel.tells_jumps:
        facts.append(("note", "jump", NO_JUMPS_TOLD))
    if channel.inverted:
        text = "inverted polarity against dry; it is kept as part of the device"
        facts.append(("warning", "polarity", text))
    return facts


def _wander_facts(channel: ChannelTiming, clock_ratio: float, mode: DelayMode) -> list[Fact]:
    wander = channel.wander
    if wander is None:
        if mode == "keep":
            return []
        return [("note", "drift", f"the delay is constant: 'delay: {mode}' has the same effect as 'keep'")]
    low, high = float(wander.delay_samples.min()), float(wander.delay_samples.max())
    ppm = 1e6 * (clock_ratio - 1)
    cause = f"two clocks, {ppm:+.1f} ppm apart" if abs(ppm) >= 1 else "wow, flutter or drift"
    text = f"the delay wanders by {high - low:.1f} samples over the file, {low:.1f} to {high:.1f} ({cause}); "
    if mode == "keep":
        text += (
            "only a constant part is removed, and the rest limits the ESR that a model can reach: pass "
            "--data.delay remove, which warps dry along it"
        )
        return [("warning", "drift", text)]
    facts: list[Fact] = [("corrected", "drift", text + _done(mode))]
    for jump in channel.jumps:
        what = "lost" if jump.samples < 0 else "too many"
        text = f"{abs(jump.samples):g} samples {what} at {jump.time_s:.2f} s; the delay steps there"
        facts.append(("corrected", "jump", text))
    return facts


def _done(mode: DelayMode) -> str:
    if mode == "remove":
        return "dry is warped along it, wet is unchanged"
    return "the model receives it and learns the rest"


def file_facts(
    file: str, stated: DelayTrajectory, left: ChannelTiming | None, samples: int, mode: DelayMode
) -> list[Fact]:
    """How the delay that a file states fits the audio.

    Args:
        file: Its name.
        stated: The delay it states.
        left: The timing of wet against dry warped along it; None: not measured.
        samples: Length of wet.
        mode: What becomes of the delay.
    """
    low, high = float(stated.delay_samples.min()), float(stated.delay_samples.max())
    text = f"the delay wanders by {high - low:.1f} samples, {low:.1f} to {high:.1f}, as {file} says; {_done(mode)}"
    facts: list[Fact] = [("corrected", "drift", text)]
    seconds = samples / stated.sample_rate
    begin, end = float(stated.times_s[0]), float(stated.times_s[-1])
    if begin > COVERED_S or abs(end - seconds) > COVERED_S:
        text = f"{file} covers {begin:.2f} to {end:.2f} s of {seconds:.2f} s; outside this range the delay is constant"
        facts.append(("warning", "delay_file", text))
    if left is None:
        text = f"{file} is used as stated ('align: off')"
        return [*facts, ("note", "delay_file", text)]
    if not left.found:
        text = f"{file} is used as stated: the audio could not confirm it (confidence {left.confidence:.2f})"
        return [*facts, ("warning", "delay_file", text)]
    shift = left.constant_samples + left.fraction_samples
    if shift:
        text = (
            f"the delays of {file} are moved by {shift:+.2f} samples, to where the device's response begins"
        )
        severity: Severity = "warning" if abs(shift) > FAR_SAMPLES else "corrected"
        facts.append(
            (severity, "delay_file", text + (": is it of this take?" if severity == "warning" else ""))
        )
    if left.wander is not None:
        text = (
            f"along {file} the delay still wanders by {left.wander.wander_samples:.1f} samples: is it of this take? "
            "Without it the delay is found in the audio"
        )
        facts.append(("warning", "delay_file", text))
    if left.inverted:
        facts.append(
            ("warning", "polarity", "inverted polarity against dry; it is kept as part of the device")
        )
    return facts


def name_channels(name: str, count: int) -> list[str]:
    """What to call the channels of a file."""
    return [name] if count == 1 else [f"{name} channel {number}" for number in range(1, count + 1)]


def unite_facts(name: str, facts: Sequence[Sequence[Fact]]) -> list[Finding]:
    """Findings on a file: what holds for all channels is reported once, the rest names its channel.

    Args:
        name: The file's.
        facts: Of each channel.
    """
    findings = []
    for number, (subject, own) in enumerate(zip(name_channels(name, len(facts)), facts, strict=True)):
        for fact in own:
            is_common = all(fact in other for other in facts)
            if is_common and number:
                continue
            severity, kind, text = fact
            findings.append(Finding(severity, kind, name if is_common else subject, text))
    return findings
