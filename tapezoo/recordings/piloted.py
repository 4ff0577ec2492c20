"""A pair with a pilot: which channel it is, the trajectory it gives, and how much of it leaks into the music."""

from __future__ import annotations

from dataclasses import replace

from tapezoo.data.align.pilot import Pilot, PulseTrain, detect_pilot
from tapezoo.data.align.timing import ChannelTiming, PairTiming, measure_timing
from tapezoo.data.align.track_pilot import crosstalk_db, track_pilot
from tapezoo.data.delays import read_along
from tapezoo.data.errors import DataError
from tapezoo.recordings.intake import Intake
from tapezoo.recordings.remarks import Remark
from tapezoo.recordings.scratch import Scratch

STILL_SAMPLES = 0.1  # from the 5th to the 95th percentile: a delay that moves less stands still
AUDIBLE_DB = -60.0  # of a pilot in the music, over its own level


def set_pilot_apart(intake: Intake, sample_rate: int) -> Intake:
    """Moves a channel that holds a pilot in both dry and wet out of the pair, and makes it the pair's pilot."""
    if intake.pilot is not None or not len(intake.dry) == len(intake.wet) == 2:
        return intake
    kinds = [detect_pilot(channel, sample_rate) for channel in intake.dry]
    if (kinds[0] is None) == (kinds[1] is None):
        return intake
    number = 1 if kinds[0] is None else 0
    kind = kinds[number]
    if kind is None or detect_pilot(intake.wet[number], sample_rate) is None:
        return intake
    music = 1 - number
    text = f"channel {number + 1} holds a pilot ({_name(kind)}); the music is channel {music + 1}"
    return Intake(
        intake.dry[music : music + 1],
        intake.wet[music : music + 1],
        (intake.dry[number], intake.wet[number]),
        (*intake.remarks, Remark("note", "pilot", text)),
    )


def follow_pilot(
    intake: Intake, timing: PairTiming, sample_rate: int, scratch: Scratch
) -> tuple[PairTiming, list[Remark]]:
    """The timing with the pilot's trajectory, which is finer than the music's.

    Args:
        intake: The pair.
        timing: As measured from the music; all channels were found.
        sample_rate: In Hz.
        scratch: For what is too long for memory.

    Returns:
        The timing, and remarks on the pilot.
    """
    if intake.pilot is None:
        return timing, []
    dry, wet = intake.pilot
    kind = detect_pilot(dry, sample_rate)
    if kind is None:
        text = "the pilot that was played is neither a pulse train nor a tone"
        return timing, [
            Remark("refused", "pilot", text, "name its files with --pilot DRY WET, or leave it out")
        ]
    channels: list[ChannelTiming] = []
    remarks = []
    for number, channel in enumerate(timing.channels):
        at = f"channel {number + 1}: " if len(timing.channels) > 1 else ""
        try:
            told = track_pilot(dry, wet, sample_rate, kind, channel.constant_samples)
        except DataError as error:
            return timing, [Remark("refused", "pilot", str(error))]
        # the pilot shows how the delay moves; the onset of the device's response is measured in the music
        heard = read_along(intake.dry[number], told.at, 0, intake.wet.shape[1], scratch.folder)
        (left,) = measure_timing(heard[None], intake.wet[number : number + 1], sample_rate).channels
        if left.found:
            told = told.shifted(left.constant_samples + left.fraction_samples)
        moves = told.wander_samples > STILL_SAMPLES or channel.wander is not None
        channels.append(replace(channel, wander=told) if moves else channel)
        text = (
            f"{at}the pilot ({_name(kind)}) shows a delay that wanders by {told.wander_samples:.2f} samples"
        )
        remarks.append(Remark("note", "pilot", text))
        leak_db = crosstalk_db(intake.wet[number], wet, sample_rate, kind)
        if leak_db is not None:
            text = f"{at}the pilot leaks into the music at {leak_db:.0f} dB of its own level"
            advice = "play it softer, or move it to a track further away" if leak_db > AUDIBLE_DB else ""
            remarks.append(Remark("limits" if leak_db > AUDIBLE_DB else "note", "crosstalk", text, advice))
    return replace(timing, channels=tuple(channels)), remarks


def _name(kind: Pilot) -> str:
    if isinstance(kind, PulseTrain):
        return f"pulses every {kind.period_samples:.2f} samples"
    return f"a tone of {kind.frequency_hz:.1f} Hz"
